"""Resolves paths in a table of several kernels, many of which share their directories."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from kheadersfs.archive.names.page import ROOT
from kheadersfs.archive.names.paths import WayDown

if TYPE_CHECKING:
    from kheadersfs.archive.fleet.table import FleetTable


class FleetLookup(WayDown):
    """See names.paths.WayDown. The first name of a path is a kernel's."""

    __slots__ = ("_table",)

    def __init__(self, table: FleetTable) -> None:
        super().__init__()
        self._table = table

    def _child(self, inode: int, name: bytes, _guess: int = 0) -> int:
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
