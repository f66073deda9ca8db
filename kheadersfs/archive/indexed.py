"""The blocks of an archive with an index, which hold the index against what they contain.

The index is part of the file and may lie like any other part. Before a block's bytes are used,
every extent that the index has in it must be one that the block's own headers describe, of the
same size and with the same name; so what is served is what tar would have extracted.
"""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from kheadersfs.archive.blocks import BlockTable
from kheadersfs.archive.headers import walk_files
from kheadersfs.archive.paths import Paths

if TYPE_CHECKING:
    from kheadersfs.archive.index import Index


class IndexedBlocks(BlockTable):
    """The blocks of *container* that come before the index's own."""

    __slots__ = ("_container", "_inodes", "_paths", "_starts", "_table")

    def __init__(self, container: BlockTable, index: Index) -> None:
        starts = container.starts
        super().__init__(
            container.name, (starts[i + 1] - starts[i] for i in range(len(index.digests)))
        )
        self.digests = index.digests
        self._container = container
        self._table = index.table
        # Both are made when the first block is decoded: listing an archive needs neither.
        self._paths: Paths | None = None
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
        self._check_extents(number, content)
        return content

    def _prepare(self) -> Paths:
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
        paths = self._paths = Paths(table)
        return paths

    def _check_extents(self, number: int, content: bytes) -> None:
        """Compare the index's files in block *number* with its headers. Raises ValueError."""
        paths = self._paths or self._prepare()
        base = self.starts[number]
        first = bisect_left(self._starts, base)
        last = bisect_left(self._starts, base + len(content))
        found = list(walk_files(content))
        if len(found) != last - first:
            raise ValueError(
                f"it has {len(found)} files where the index has {last - first}; repack it"
            )
        for extent, start, inode in zip(
            found, self._starts[first:last], self._inodes[first:last], strict=True
        ):
            described = (extent.start + base, extent.size)
            if described != (start, self._table.inode_size[inode - 1]) or not (
                extent.name == paths.path(inode) or paths.inode_at(extent.name) == inode
            ):
                name = extent.name.decode(errors="backslashreplace")
                raise ValueError(f"the index does not describe {name} as it is; repack it")
