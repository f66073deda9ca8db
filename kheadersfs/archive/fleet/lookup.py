"""The way down in a table of several kernels, for paths many of which lie in the same places."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from kheadersfs.archive.names.page import ROOT

if TYPE_CHECKING:
    from kheadersfs.archive.fleet.table import FleetTable


class FleetLookup:
    """It remembers directories, and is meant to be thrown away after a block."""

    __slots__ = ("_directories", "_table")

    def __init__(self, table: FleetTable) -> None:
        self._table = table
        self._directories: dict[bytes, int] = {b"": ROOT}

    def inode_at(self, path: bytes, _guess: int = 0) -> int:
        """Return the inode at *path*, 0 when there is none. The root's path is empty."""
        if not path:
            return ROOT
        head, _, name = path.rpartition(b"/")
        directory = self._directories.get(head)
        if directory is None:
            directory = ROOT
            for component in head.split(b"/"):
                directory = self._child(directory, component)
            self._directories[head] = directory
        return self._child(directory, name)

    def _child(self, inode: int, name: bytes) -> int:
        table = self._table
        if inode == ROOT:
            number = table.kernel_number(name)
            return 0 if number is None else table.versions_end + number * table.directories
        if inode < table.versions_end:
            return 0
        kernel, directory = table.place(inode)
        page, entries = table.directory(directory)
        place = bisect_left(entries, name, key=page.name)
        if place == len(entries) or page.name(entries[place]) != name:
            return 0
        row = table.version_of(page, entries[place], kernel)
        return 0 if row is None else table.child(page, entries[place], row, kernel)
