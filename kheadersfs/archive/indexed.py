"""The blocks of an archive with an index, which hold the index against what they contain.

The index is part of the file and may lie like any other part. Before a block's bytes are used,
every extent that the index has in it must be one that the block's own headers describe, and every
member with a header there must be in the index as that header has it: name, type, permissions,
time, size, target. So the content that is served, and the attributes of what has content, are
what tar would have extracted, if it took the headers: their checksums are not looked at.

What has no content of its own is served from the index alone: a name that no block has a
header of, for a directory, a symlink, an empty file or a further name of a file, shows only when
all blocks are walked. That is what ``verify`` does.
"""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from kheadersfs.archive.blocks import BlockTable
from kheadersfs.archive.headers import walk_members
from kheadersfs.archive.paths import Lookup
from kheadersfs.archive.table import LATEST
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from kheadersfs.archive.headers import Described
    from kheadersfs.archive.index import Index


class IndexedBlocks(BlockTable):
    """The blocks of *container* that come before the index's own."""

    __slots__ = ("_container", "_inodes", "_starts", "_table")

    def __init__(self, container: BlockTable, index: Index) -> None:
        starts = container.starts
        super().__init__(
            container.name, (starts[i + 1] - starts[i] for i in range(len(index.digests)))
        )
        self.digests = index.digests
        self._container = container
        self._table = index.table
        # Both are made when the first block is decoded: listing an archive needs neither.
        self._starts = array("Q")
        self._inodes = array("I")

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

    def _prepare(self) -> None:
        """Sort the files by where they lie."""
        table = self._table
        files = sorted(
            (start, row + 1)
            for row, (mode, start, size) in enumerate(
                zip(table.inode_mode, table.inode_start, table.inode_size, strict=True)
            )
            if size and stat.S_ISREG(mode)
        )
        self._inodes = array("I", [inode for _, inode in files])
        self._starts = array("Q", [start for start, _ in files])

    def _check_members(self, number: int, content: bytes) -> None:
        """Compare the index with the headers in block *number*. Raises ValueError.

        The index's files, sorted by where they start, must meet the headers of what has content
        one for one.
        """
        if not self._starts:
            self._prepare()
        lookup = Lookup(self._table)
        base = self.starts[number]
        next_file = bisect_left(self._starts, base)
        end = bisect_left(self._starts, base + len(content))
        for described in walk_members(content, is_last=number + 1 == len(self)):
            inode_there = 0
            if described.size:
                inode_there = self._inode_at(base + described.start, next_file)
                next_file += 1
            inode = lookup.inode_at(described.name, inode_there)
            is_in_place = inode == inode_there or not described.size
            if not inode or not is_in_place or not self._agrees(inode, described, lookup):
                name = described.name.decode(errors="backslashreplace")
                raise ValueError(f"the index does not describe {name} as it is; repack it")
        if next_file != end:
            raise ValueError("the index has files in it of which it has no headers; repack it")

    def _inode_at(self, start: int, file: int) -> int:
        """Return the inode of file number *file*, if it is at *start* of the stream; else 0."""
        is_there = file < len(self._starts) and self._starts[file] == start
        return self._inodes[file] if is_there else 0

    def _agrees(self, inode: int, described: Described, lookup: Lookup) -> bool:
        """Tell whether the index has *inode* as it is *described*."""
        table, row = self._table, inode - 1
        mode, size = table.inode_mode[row], table.inode_size[row]
        if described.hard_link:
            return not stat.S_ISDIR(mode) and lookup.inode_at(described.target) == inode
        if stat.S_IFMT(mode) != stat.S_IFMT(described.mode):
            return False
        mtime = table.inode_mtime[row]
        if described.mtime != mtime and max(-LATEST, min(described.mtime, LATEST)) != mtime:
            return False
        if stat.S_ISLNK(mode):
            start = table.inode_start[row]
            return described.target == table.targets[start : start + size]
        if mode != described.mode:
            return False
        if stat.S_ISDIR(mode):
            return True
        if described.links not in (0, table.inode_links[row]):
            return False
        # Of a file's names in cpio one has the content.
        return described.size == size or (described.size == 0 and described.links > 1)
