"""From an inode to its path, and back. For messages, records and checks, not to serve requests."""

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


class Lookup:
    """The way down in a table, for paths many of which lie in the same directories.

    It remembers these, and is meant to be thrown away after a block.
    """

    __slots__ = ("_directories", "_table")

    def __init__(self, table: Table) -> None:
        self._table = table
        self._directories = {b"": ROOT}

    def inode_at(self, path: bytes, guess: int = 0) -> int:
        """Return the inode at *path*, 0 when there is none. The root's path is empty.

        It is found sooner when the *guess* is right.
        """
        if not path:
            return ROOT
        head, _, name = path.rpartition(b"/")
        directory = self._directories.get(head)
        if directory is None:
            directory = ROOT
            for component in head.split(b"/"):
                directory = self._child(directory, component)
            self._directories[head] = directory
        return self._child(directory, name, guess)

    def _child(self, directory: int, name: bytes, guess: int = 0) -> int:
        """Return the inode of *name* in *directory*, 0 when there is none."""
        table = self._table
        if not directory or not stat.S_ISDIR(table.inode_mode[directory - 1]):
            return 0
        first = table.inode_start[directory - 1]
        last = first + table.inode_size[directory - 1]
        # Unless there are hard links, inodes follow each other as entries do, behind the root's.
        entry = guess - ROOT - 1
        if first <= entry < last and table.name(entry) == name:
            return table.entry_inode[entry]
        entry = bisect_left(range(last), name, first, key=table.name)
        return table.entry_inode[entry] if entry < last and table.name(entry) == name else 0
