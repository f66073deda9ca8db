"""From an inode to its path. Needed for messages, records and checks, never to serve a request."""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from kheadersfs.archive.table import ROOT

if TYPE_CHECKING:
    from kheadersfs.archive.table import Table


class Paths:
    """The way up in a table. Takes 4 bytes an inode and 12 a directory."""

    __slots__ = ("_directories", "_entry_of", "_starts", "_table")

    def __init__(self, table: Table) -> None:
        self._table = table
        self._entry_of = array("I", bytes(4 * len(table.inode_mode)))
        for entry in range(len(table.entry_inode) - 1, -1, -1):
            self._entry_of[table.entry_inode[entry] - 1] = entry
        self._directories = array(
            "I", [row + 1 for row, mode in enumerate(table.inode_mode) if stat.S_ISDIR(mode)]
        )
        self._starts = array("Q", [table.inode_start[inode - 1] for inode in self._directories])

    def path(self, inode: int) -> bytes:
        """Return the path of *inode*, relative to the root; of a hard-linked file the first."""
        return self._path_of_entry(self._entry_of[inode - 1]) if inode != ROOT else b""

    def inode_at(self, path: bytes) -> int:
        """Return the inode at *path*, 0 when there is none. Remembers nothing, unlike Tree."""
        table, inode = self._table, ROOT
        for component in path.split(b"/"):
            if not stat.S_ISDIR(table.inode_mode[inode - 1]):
                return 0
            first = table.inode_start[inode - 1]
            last = first + table.inode_size[inode - 1]
            entry = bisect_left(range(last), component, first, key=table.name)
            if entry == last or table.name(entry) != component:
                return 0
            inode = table.entry_inode[entry]
        return inode

    def _path_of_entry(self, entry: int) -> bytes:
        table = self._table
        components: list[bytes] = []
        while True:
            components.append(table.name(entry))
            # Of directories with the same start all but the last are empty.
            directory = self._directories[bisect_right(self._starts, entry) - 1]
            if directory == ROOT:
                return b"/".join(reversed(components))
            entry = self._entry_of[directory - 1]
