"""Every name and every inode of an archive, as columns.

A kernel has tens of thousands of headers and a server may hold several kernels, so there is no
object per file: a table is a handful of arrays, some 30 bytes a name plus the name itself, which
the embedded index stores as they are.
"""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kheadersfs.limits import Limits

ROOT = 1
"""The inode number of the root directory, as FUSE has it. Inode *i* is row ``i - 1``."""


class Table(NamedTuple):
    """The columns.

    Entries (one per name) are grouped by directory and sorted by name within it; directories
    come in breadth-first order, and inodes are numbered in that order of first appearance.
    So the numbers depend on the archive's names alone, and are the same at every mount.

    For a directory ``inode_start`` is its first entry and ``inode_size`` the number of them;
    for a file they are the extent of its content in the archive's stream, for a symlink the
    extent of its target in ``targets``.
    """

    entry_inode: array[int]
    """Type I: inode number per entry."""
    entry_name_end: array[int]
    """Type I: offset in ``names`` behind the entry's name; it starts where the last one ends."""
    names: bytes
    inode_mode: array[int]
    """Type I: file type and permissions, as in st_mode."""
    inode_links: array[int]
    """Type I: st_nlink."""
    inode_mtime: array[int]
    """Type q: nanoseconds since 1970."""
    inode_size: array[int]
    """Type Q: bytes, or entries of a directory."""
    inode_start: array[int]
    """Type Q: see above."""
    targets: bytes

    def name(self, entry: int) -> bytes:
        """Return the name of entry number *entry*."""
        ends = self.entry_name_end
        return self.names[ends[entry - 1] if entry else 0 : ends[entry]]

    def check(self) -> None:
        """Check that every reference stays inside its column. Raises ValueError.

        With this done, no lookup can leave the columns or run in circles.
        """
        entries, inodes = len(self.entry_inode), len(self.inode_mode)
        columns = (self.inode_links, self.inode_mtime, self.inode_size, self.inode_start)
        if inodes == 0 or any(len(column) != inodes for column in columns):
            raise ValueError("its columns have different lengths")
        if len(self.entry_name_end) != entries:
            raise ValueError("it has another number of names than of entries")
        if (self.entry_name_end[-1] if entries else 0) != len(self.names):
            raise ValueError("its names are cut off")
        if entries and not (min(self.entry_inode) > ROOT and max(self.entry_inode) <= inodes):
            raise ValueError("an entry names an inode that is not there")
        if not stat.S_ISDIR(self.inode_mode[0]):
            raise ValueError("its root is not a directory")
        self._check_extents()
        self._check_shape()

    def check_limits(self, archive: str, limits: Limits) -> None:
        """Check that what *archive* holds is within *limits*. Raises RefusedArchive.

        The table must have passed ``check``. No path is longer than the longest directory's with
        the longest name, which is what is compared.
        """
        sizes = [
            size
            for mode, size in zip(self.inode_mode, self.inode_size, strict=True)
            if stat.S_ISREG(mode)
        ]
        limits.check(archive, "members", len(self.entry_inode))
        limits.check(archive, "file", max(sizes, default=0))
        limits.check(archive, "total", sum(sizes))
        links = [
            size
            for mode, size in zip(self.inode_mode, self.inode_size, strict=True)
            if stat.S_ISLNK(mode)
        ]
        limits.check(archive, "target", max(links, default=0))
        depth, length = self._measure_paths()
        limits.check(archive, "depth", depth)
        limits.check(archive, "path", length)

    def _measure_paths(self) -> tuple[int, int]:
        """Return how many names the deepest path has, and how many bytes the longest one."""
        directories = [row for row, mode in enumerate(self.inode_mode) if stat.S_ISDIR(mode)]
        starts = [self.inode_start[row] for row in directories]
        filled = [self.inode_size[row] > 0 for row in directories]
        # Directories are numbered in the order in which they are named, their parents before them.
        depths, lengths = [0], [0]
        for entry, inode in enumerate(self.entry_inode):
            if stat.S_ISDIR(self.inode_mode[inode - 1]):
                # Of directories with the same start all but the last are empty.
                parent = bisect_right(starts, entry) - 1
                depths.append(depths[parent] + 1)
                lengths.append(lengths[parent] + 1 + len(self.name(entry)))
        ends = self.entry_name_end
        longest_name = max(map(int.__sub__, ends, [0, *ends[:-1]]), default=0)
        return max(map(int.__add__, depths, filled)), max(lengths) + longest_name

    def _check_extents(self) -> None:
        """Check directories, which must share the entries out in order, and link targets."""
        next_entry = 0
        for mode, start, size in zip(
            self.inode_mode, self.inode_start, self.inode_size, strict=True
        ):
            if stat.S_ISDIR(mode):
                if start != next_entry:
                    raise ValueError("a directory does not begin where the last one ends")
                next_entry += size
            elif stat.S_ISLNK(mode):
                if start + size > len(self.targets):
                    raise ValueError("a symlink's target is cut off")
            elif not stat.S_ISREG(mode):
                raise ValueError("an inode is neither file, directory nor symlink")
        if next_entry != len(self.entry_inode):
            raise ValueError("its directories do not add up to its entries")

    def _check_shape(self) -> None:
        """Check that every directory but the root is named once, before its own entries."""
        named: list[int] = []
        for entry, inode in enumerate(self.entry_inode):
            if stat.S_ISDIR(self.inode_mode[inode - 1]):
                if self.inode_start[inode - 1] <= entry:
                    raise ValueError("a directory is below itself")
                named.append(inode)
        directories = [row + 1 for row, mode in enumerate(self.inode_mode) if stat.S_ISDIR(mode)]
        if named != directories[1:]:
            raise ValueError("a directory has not exactly one name")
