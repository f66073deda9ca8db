"""All leaves of an archive, each made when it is needed.

What one pass has read is one leaf. An embedded index has many, each of some thousands of names, so
that one file of a huge archive is found without reading the names of all others.
"""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from kheadersfs.archive.names import soundness
from kheadersfs.archive.names.bounds import Bounds
from kheadersfs.archive.names.page import ROOT, Leaf, join
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Callable


class Table:
    """The leaves of an archive. May be used from any thread.

    What is read of a leaf that lies raises DamagedArchive.
    """

    __slots__ = ("_archive", "_entered", "_failures", "_leaves", "_make", "bounds", "content_size")

    def __init__(
        self, archive: str, bounds: Bounds, content_size: int, make: Callable[[int], Leaf]
    ) -> None:
        """*make* makes a leaf, sound in itself, or raises ValueError; *content_size* is of all."""
        self.bounds = bounds
        self.content_size = content_size
        self._archive = archive
        self._make = make
        self._leaves: list[Leaf | None] = [None] * (len(bounds.entries) - 1)
        self._failures: dict[int, str] = {}
        self._entered: set[int] = set()

    @classmethod
    def of(cls, leaf: Leaf, archive: str = "archive") -> Table:
        """Return the table of which *leaf* is all."""
        entries, inodes = len(leaf.entry_inode), len(leaf.inode_mode)
        bounds = Bounds(
            array("I", (0, entries)), array("I", (ROOT, ROOT + inodes)), array("I", (0, entries))
        )
        content_size = sum(leaf.inode_size[row] for row in leaf.rows(stat.S_IFREG))
        return cls(archive, bounds, content_size, lambda _number: leaf)

    @property
    def entries(self) -> int:
        """How many names there are."""
        return self.bounds.entries[-1]

    @property
    def inodes(self) -> int:
        """How many inodes there are, the root included."""
        return self.bounds.inodes[-1] - ROOT

    def __len__(self) -> int:
        """Count the leaves."""
        return len(self._leaves)

    def leaf(self, number: int) -> Leaf:
        """Return leaf *number*. Raises DamagedArchive."""
        leaf = self._leaves[number]
        if leaf is None:
            if number in self._failures:
                raise DamagedArchive(self._failures[number])
            try:
                # Two threads may both make it: they make the same.
                leaf = self._leaves[number] = self._make(number)
            except ValueError as error:
                self._failures[number] = unusable(self._archive, error)
                raise DamagedArchive(self._failures[number]) from error
        return leaf

    def leaf_of(self, inode: int) -> Leaf:
        """Return the leaf that has *inode*. Raises IndexError if none has, DamagedArchive."""
        if not ROOT <= inode < self.bounds.inodes[-1]:
            raise IndexError(inode)
        return self.leaf(bisect_right(self.bounds.inodes, inode) - 1)

    def directory(self, inode: int) -> tuple[Leaf, range]:
        """Return the entries of the directory *inode*, and the leaf that has them all.

        There are none if it is no directory. Raises IndexError, DamagedArchive.
        """
        own = self.leaf_of(inode)
        row = inode - own.first_inode
        if not stat.S_ISDIR(own.inode_mode[row]):
            return own, range(0)
        start, size = own.inode_start[row], own.inode_size[row]
        leaf = self.leaf(bisect_right(self.bounds.entries, start) - 1) if size else own
        entries = range(start, start + size)
        if inode not in self._entered:
            try:
                soundness.check_directory(leaf, entries, own.inode_links[row])
            except ValueError as error:
                raise DamagedArchive(unusable(self._archive, error)) from error
            self._entered.add(inode)
        return leaf, entries

    def parent(self, entry: int) -> int:
        """Return the inode of the directory that *entry* is in. Raises DamagedArchive."""
        leaf = self.leaf(bisect_right(self.bounds.children, entry) - 1)
        rows = leaf.rows(stat.S_IFDIR)
        # Of directories with the same start all but the last are empty.
        row = rows[bisect_right(rows, entry, key=leaf.inode_start.__getitem__) - 1]
        return leaf.first_inode + row

    def whole(self) -> Leaf:
        """Return all leaves as one. Raises DamagedArchive."""
        leaves = [self.leaf(number) for number in range(len(self))]
        return leaves[0] if len(leaves) == 1 else join(leaves)

    def check(self) -> None:
        """Look at everything, so that nothing can be found to lie later. Raises DamagedArchive."""
        whole = self.whole()
        try:
            soundness.check_links(whole)
        except ValueError as error:
            raise DamagedArchive(unusable(self._archive, error)) from error
        for row in whole.rows(stat.S_IFDIR):
            self.directory(ROOT + row)


def unusable(archive: str, error: ValueError) -> str:
    """Return what to say of an *archive* whose index is in *error*."""
    return f"{archive}: its index cannot be used: {error}; write one anew: kheadersfs repack"
