"""Collect inodes while an archive's members come in, and number them in the end.

Inodes are columns from the beginning, and not objects. The interpreter takes and returns the memory
of small objects by the megabyte, and a single object that stays keeps its megabyte.
"""

from __future__ import annotations

from itertools import accumulate
from operator import itemgetter

from kheadersfs.archive.names.page import ROOT, Page
from kheadersfs.bare import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

Children = dict[bytes, int]
"""The rows in Inodes of what a directory holds, by name."""


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
        """The children of each directory, by its row."""
        self.targets: dict[int, bytes] = {}
        """The target of each symlink, by its row."""
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
        self._names: list[bytes] = []
        self._named: list[int] = []
        """The row that each of the names is of."""
        self._links = array("I", (1,)) * len(inodes.modes)
        """Of each row."""
        directories = [inodes.root]
        # They grow while they are walked.
        for directory in directories:
            directories += self._list_directory(directory)
        self._rows = [inodes.root, *dict.fromkeys(self._named)]
        """Of each inode, in the order of their numbers."""

    def _list_directory(self, directory: int) -> list[int]:
        """List what is in *directory*. Returns the directories among that."""
        inodes = self._inodes
        children = inodes.children[directory]
        names = sorted(children)
        rows = [children[name] for name in names]
        below = [row for row in rows if row in inodes.children]
        inodes.starts[directory], inodes.sizes[directory] = len(self._names), len(names)
        self._links[directory] = 2 + len(below)
        self._names += names
        self._named += rows
        return below

    def _number_entries(self) -> tuple[array[int], array[int]]:
        """Return the inode of each entry, and those entries whose inodes had a name before."""
        first = ROOT + 1
        if len(self._rows) > len(self._named):
            return array("I", range(first, first + len(self._named))), array("I")
        numbers = {row: number for number, row in enumerate(self._rows, ROOT)}
        entry_inode, repeats = array("I"), array("I")
        for entry, row in enumerate(self._named):
            number = numbers[row]
            if number < first:
                repeats.append(entry)
                self._links[row] += 1
            first = max(first, number + 1)
            entry_inode.append(number)
        return entry_inode, repeats

    def _place_targets(self) -> Iterator[bytes]:
        """Yield the symlinks' targets, and note where they lie one behind the other."""
        inodes, position = self._inodes, 0
        for row in self._rows:
            if row in inodes.targets:
                target = inodes.targets[row]
                inodes.starts[row], inodes.sizes[row] = position, len(target)
                position += len(target)
                yield target

    def page(self) -> Page:
        """Return the columns in the order of the numbers."""
        inodes = self._inodes
        entry_inode, repeats = self._number_entries()
        targets = b"".join(self._place_targets())

        take = itemgetter(0, *self._rows)  # of one row alone it would make no tuple

        def in_order(column: array[int]) -> array[int]:
            return array(column.typecode, take(column)[1:])

        return Page(
            first_entry=0,
            first_inode=ROOT,
            entry_inode=entry_inode,
            repeats=repeats,
            entry_name_end=array("I", accumulate(map(len, self._names))),
            names=b"".join(self._names),
            inode_mode=in_order(inodes.modes),
            inode_links=in_order(self._links),
            inode_mtime=in_order(inodes.mtimes),
            inode_size=in_order(inodes.sizes),
            inode_start=in_order(inodes.starts),
            targets=targets,
        )
