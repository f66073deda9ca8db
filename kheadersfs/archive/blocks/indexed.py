"""The blocks of an archive with an index, which hold the index against what they contain.

The index is part of the file and may lie like any other part. Before a block's bytes are used,
every extent that the index has in it must be one that the block's own headers describe, and every
member with a header there must be in the index as that header has it: name, type, permissions,
time, size, target. So the content that is served, and the attributes of what has content, are
what tar would have extracted, if it took the headers: their checksums are not looked at.

Directories, symlinks, empty files and further names of a file have no content, so no block is
decoded for them, and the index alone says that they are there. If no block has a header of such a
name, only a walk over all blocks finds that out. ``verify`` makes this walk.
"""

from __future__ import annotations

import stat
from bisect import bisect_left

from kheadersfs.archive.blocks.table import BlockTable
from kheadersfs.archive.names.page import LATEST
from kheadersfs.archive.tar.walking import end_of_plain_file
from kheadersfs.archive.walking import walk_members
from kheadersfs.bare import array
from kheadersfs.errors import DamagedArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.fleet.index import FleetIndex
    from kheadersfs.archive.member import Member
    from kheadersfs.archive.names.index import Index
    from kheadersfs.archive.names.paths import WayDown


class IndexedBlocks(BlockTable):
    """The blocks of *container* that come before the index's own."""

    __slots__ = ("_container", "_files", "_lookup", "_pages", "_table")

    def __init__(
        self,
        container: BlockTable,
        index: Index | FleetIndex,
        lookup: Callable[[], WayDown],
    ) -> None:
        """*lookup* returns a new way down in the index's table."""
        starts = container.starts
        super().__init__(
            container.name, (starts[i + 1] - starts[i] for i in range(len(index.digests)))
        )
        self.digests = index.digests
        self._container = container
        self._table = index.table
        self._lookup = lookup
        self._pages: list[list[int]] = [[] for _ in index.digests]
        """The pages with files in each block."""
        for page, blocks in enumerate(index.page_blocks):
            for block in blocks:
                self._pages[block].append(page)
        self._files: dict[int, tuple[array[int], array[int]]] = {}
        """By page, the starts and the inodes of files with content, in the order of their starts.
        They are found when a block is first decoded, as listing an archive needs none."""

    def stored_size(self, number: int) -> int:
        """See BlockTable.stored_size."""
        return self._container.stored_size(number)

    def stored(self, number: int) -> bytes:
        """See BlockTable.stored."""
        return self._container.stored(number)

    def unpack(self, number: int, stored: bytes) -> bytes:
        """See BlockTable.unpack."""
        content = self._container.unpack(number, stored)
        self._check_members(number, content)
        return content

    def _damaged(self, number: int, error: ValueError) -> DamagedArchive:
        """See BlockTable._damaged: the index's own block counts too."""
        return self._container._damaged(number, error)

    def _files_in(self, number: int) -> list[tuple[int, int]]:
        """Return start and inode of each file in block *number*, sorted. Raises DamagedArchive."""
        span = self.starts[number : number + 2]
        found: list[tuple[int, int]] = []
        for page in self._pages[number]:
            starts, inodes = self._files.get(page) or self._find_files(page)
            first, last = (bisect_left(starts, start) for start in span)
            found += zip(starts[first:last], inodes[first:last], strict=True)
        return sorted(found)

    def _find_files(self, page: int) -> tuple[array[int], array[int]]:
        """Find the files of *page*, as ``_files`` has them. Raises DamagedArchive."""
        found = self._table.files(page)
        files = array("Q", [start for start, _ in found]), array("I", [inode for _, inode in found])
        self._files[page] = files
        return files

    def _check_members(self, number: int, content: bytes) -> None:
        """Compare the index with the headers in block *number*. Raises ValueError.

        The index's files, sorted by where they start, must meet the headers of what has content
        one for one.
        """
        lookup = self._lookup()
        base = self.starts[number]
        files = self._files_in(number)
        next_file = 0

        def known(start: int) -> int:
            """See walk_members: the next file need not be read if its header is as pack writes it
            for what the index says.
            """
            nonlocal next_file
            if next_file == len(files) or files[next_file][0] != base + start:
                return 0
            inode = files[next_file][1]
            path = lookup.path_of(inode)
            if path is None:
                return 0
            end = end_of_plain_file(content, start, path, self._table.described(inode))
            next_file += end > 0
            return end

        for described in walk_members(content, number + 1 == len(self), known):
            inode_there = 0
            if described.size:
                if next_file < len(files) and files[next_file][0] == base + described.start:
                    inode_there = files[next_file][1]
                next_file += 1
            inode = lookup.inode_at(described.name, inode_there)
            is_in_place = inode == inode_there or not described.size
            if not inode or not is_in_place or not self._agrees(inode, described, lookup):
                name = described.name.decode(errors="backslashreplace")
                raise ValueError(f"the index does not describe {name} as it is; repack it")
        if next_file != len(files):
            raise ValueError("the index has files in it of which it has no headers; repack it")

    def _agrees(self, inode: int, described: Member, lookup: WayDown) -> bool:
        """Tell whether the index has *inode* as it is *described*."""
        found = self._table.described(inode)
        mode, size = found.mode, found.size
        if described.hard_link:
            return not stat.S_ISDIR(mode) and lookup.inode_at(described.target or b"") == inode
        if stat.S_IFMT(mode) != stat.S_IFMT(described.mode):
            return False
        mtime = found.mtime
        if described.mtime != mtime and max(-LATEST, min(described.mtime, LATEST)) != mtime:
            return False
        if stat.S_ISLNK(mode):
            return described.target == self._table.target(inode)
        if mode != described.mode:
            return False
        if stat.S_ISDIR(mode):
            return True
        if described.links not in (0, found.links):
            return False
        # In cpio, one of a file's names has the content, and the headers of the others say 0.
        return described.size == size or (described.size == 0 and described.links > 1)
