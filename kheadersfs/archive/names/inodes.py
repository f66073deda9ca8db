"""Inodes while an archive's members come in, and the numbers that they get in the end.

They are columns from the beginning. The interpreter takes and returns the memory of small objects
by the megabyte, and a single one that stays holds a megabyte: a server had better never have many.
"""

from __future__ import annotations

import stat
from array import array
from typing import TYPE_CHECKING

from kheadersfs.archive.names.page import ROOT, Page

if TYPE_CHECKING:
    from collections.abc import Iterator

Children = dict[bytes, int]
"""What a directory holds: rows of Inodes by name."""


class Inodes:
    """The columns, a row per inode, in the order in which members name them.

    ``modes`` are st_mode, ``mtimes`` nanoseconds since 1970. Of files, ``sizes`` and ``starts`` are
    the extent of their content in the stream, in bytes; the others have none. A row that nothing in
    ``children`` leads to any more is left out when ``number`` makes the page.
    """

    __slots__ = ("children", "modes", "mtimes", "root", "sizes", "starts", "targets")

    def __init__(self, root_mode: int) -> None:
        self.modes = array("I")
        self.mtimes = array("q")
        self.sizes = array("Q")
        self.starts = array("Q")
        self.children: dict[int, Children] = {}
        """Of each directory."""
        self.targets: dict[int, bytes] = {}
        """Of each symlink."""
        self.root = self.add(root_mode, 0)
        self.children[self.root] = {}

    def add(self, mode: int, mtime: int, size: int = 0, start: int = 0) -> int:
        """Add an inode and return its row."""
        row = len(self.modes)
        self.modes.append(mode)
        self.mtimes.append(mtime)
        self.sizes.append(size)
        self.starts.append(start)
        return row

    def add_directory(self, mode: int, mtime: int) -> int:
        """Add an empty directory and return its row."""
        row = self.add(mode, mtime)
        self.children[row] = {}
        return row

    def add_symlink(self, mode: int, mtime: int, target: bytes) -> int:
        """Add a symlink and return its row."""
        row = self.add(mode, mtime)
        self.targets[row] = target
        return row

    def number(self) -> Page:
        """Return all that the root leads to as one page, see there. The columns are used up."""
        return _Numbering(self).page()


class _Numbering:
    """Gives inodes their numbers, breadth first."""

    def __init__(self, inodes: Inodes) -> None:
        self._inodes = inodes
        self._rows = array("I")
        """Of each inode, in the order of their numbers."""
        self._numbers = array("I", bytes(inodes.modes.itemsize * len(inodes.modes)))
        """Of each row; 0 is none."""
        self._links = array("I", self._numbers)
        self._entry_inode = array("I")
        self._repeats = array("I")
        self._names: list[bytes] = []
        self._number(inodes.root)
        # The rows grow while they are walked: a directory's entries number what they name.
        for row in self._rows:
            if row in inodes.children:
                self._list_directory(row)

    def _number(self, row: int) -> int:
        """Give *row* the next number, and return that."""
        self._rows.append(row)
        number = self._numbers[row] = len(self._rows)
        return number

    def _list_directory(self, directory: int) -> None:
        inodes, links, numbers = self._inodes, self._links, self._numbers
        children = inodes.children[directory]
        names = sorted(children)
        inodes.starts[directory], inodes.sizes[directory] = len(self._names), len(names)
        links[directory] += 2
        for entry, name in enumerate(names, len(self._names)):
            child = children[name]
            links[directory if child in inodes.children else child] += 1
            if numbers[child]:
                self._repeats.append(entry)
            self._entry_inode.append(numbers[child] or self._number(child))
        self._names += names

    def _place_targets(self) -> Iterator[bytes]:
        """Yield the symlinks' targets, and note where they lie one behind the other."""
        inodes, position = self._inodes, 0
        for row in self._rows:
            if stat.S_ISLNK(inodes.modes[row]):
                target = inodes.targets[row]
                inodes.starts[row], inodes.sizes[row] = position, len(target)
                position += len(target)
                yield target

    def page(self) -> Page:
        """Return the columns in the order of the numbers."""
        inodes = self._inodes
        targets = b"".join(self._place_targets())

        def in_order(column: array[int]) -> array[int]:
            return array(column.typecode, map(column.__getitem__, self._rows))

        name_ends = array("I")
        end = 0
        for name in self._names:
            end += len(name)
            name_ends.append(end)
        return Page(
            first_entry=0,
            first_inode=ROOT,
            entry_inode=self._entry_inode,
            repeats=self._repeats,
            entry_name_end=name_ends,
            names=b"".join(self._names),
            inode_mode=in_order(inodes.modes),
            inode_links=in_order(self._links),
            inode_mtime=in_order(inodes.mtimes),
            inode_size=in_order(inodes.sizes),
            inode_start=in_order(inodes.starts),
            targets=targets,
        )
