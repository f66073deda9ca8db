"""What a table that came with an archive must hold to, before anything is looked up in it.

With this done, no lookup can leave the columns or run in circles, and nothing is listed that one
pass over the archive would refuse.
"""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from kheadersfs.archive.table import ROOT, Table

if TYPE_CHECKING:
    from kheadersfs.limits import Limits

_PERMISSIONS = 0o7777


def check(table: Table) -> None:
    """Check that every reference in *table* stays inside its column. Raises ValueError."""
    entries, inodes = len(table.entry_inode), len(table.inode_mode)
    columns = (table.inode_links, table.inode_mtime, table.inode_size, table.inode_start)
    if inodes == 0 or any(len(column) != inodes for column in columns):
        raise ValueError("its columns have different lengths")
    if len(table.entry_name_end) != entries:
        raise ValueError("it has another number of names than of entries")
    if (table.entry_name_end[-1] if entries else 0) != len(table.names):
        raise ValueError("its names are cut off")
    if entries and not (min(table.entry_inode) > ROOT and max(table.entry_inode) <= inodes):
        raise ValueError("an entry names an inode that is not there")
    if not stat.S_ISDIR(table.inode_mode[0]):
        raise ValueError("its root is not a directory")
    _check_inodes(table)
    _check_shape(table)
    _check_names(table)


def _check_inodes(table: Table) -> None:
    """Check modes, directories, which must share the entries out in order, links and targets."""
    next_entry = 0
    names = array("I", bytes(4 * len(table.inode_mode)))
    for inode in table.entry_inode:
        names[inode - 1] += 1
    for mode, links, named, start, size in zip(
        table.inode_mode, table.inode_links, names, table.inode_start, table.inode_size, strict=True
    ):
        if not links == named > 0 and not stat.S_ISDIR(mode):
            raise ValueError("an inode has not as many names as it says")
        if mode & ~_PERMISSIONS != stat.S_IFMT(mode):
            raise ValueError("an inode has a mode that cannot be")
        if stat.S_ISREG(mode):
            if mode & (stat.S_ISUID | stat.S_ISGID):
                raise ValueError("a file is set-user-ID or set-group-ID")
        elif stat.S_ISDIR(mode):
            if start != next_entry:
                raise ValueError("a directory does not begin where the last one ends")
            next_entry += size
        elif not stat.S_ISLNK(mode):
            raise ValueError("an inode is neither file, directory nor symlink")
        elif size == 0 or start + size > len(table.targets):
            raise ValueError("a symlink's target is cut off")
    if next_entry != len(table.entry_inode):
        raise ValueError("its directories do not add up to its entries")


def _check_shape(table: Table) -> None:
    """Check that every directory but the root is named once, before its own entries."""
    named: list[int] = []
    for entry, inode in enumerate(table.entry_inode):
        if stat.S_ISDIR(table.inode_mode[inode - 1]):
            if table.inode_start[inode - 1] <= entry:
                raise ValueError("a directory is below itself")
            named.append(inode)
    if named != _directories(table)[1:]:
        raise ValueError("a directory has not exactly one name")


def _check_names(table: Table) -> None:
    """Check that names differ within a directory, where they are sorted, and are all names."""
    ends = table.entry_name_end
    names = [table.names[start:end] for start, end in pairwise([0, *ends])]
    if b"." in names or b".." in names:
        raise ValueError("it has a name that cannot be")
    firsts = {table.inode_start[inode - 1] for inode in _directories(table)}
    for entry, (name, following) in enumerate(pairwise(names), start=1):
        if name >= following and entry not in firsts:
            raise ValueError("a directory has a name twice, or its names are not sorted")


def _directories(table: Table) -> list[int]:
    return [row + 1 for row, mode in enumerate(table.inode_mode) if stat.S_ISDIR(mode)]


def check_limits(table: Table, archive: str, limits: Limits) -> None:
    """Check that what *archive* holds, as *table* has it, is within *limits*.

    The table must have passed ``check``. No path is longer than the longest directory's with the
    longest name, which is what is compared. Raises RefusedArchive.
    """
    sizes: dict[int, list[int]] = {stat.S_IFREG: [0], stat.S_IFLNK: [0], stat.S_IFDIR: [0]}
    for mode, size in zip(table.inode_mode, table.inode_size, strict=True):
        sizes[stat.S_IFMT(mode)].append(size)
    limits.check(archive, "members", len(table.entry_inode))
    limits.check(archive, "file", max(sizes[stat.S_IFREG]))
    limits.check(archive, "total", sum(sizes[stat.S_IFREG]))
    limits.check(archive, "target", max(sizes[stat.S_IFLNK]))
    depth, length = _measure_paths(table)
    limits.check(archive, "depth", depth)
    limits.check(archive, "path", length)


def _measure_paths(table: Table) -> tuple[int, int]:
    """Return how many names the deepest path has, and how many bytes the longest one."""
    directories = _directories(table)
    starts = [table.inode_start[inode - 1] for inode in directories]
    filled = [table.inode_size[inode - 1] > 0 for inode in directories]
    # Directories are numbered in the order in which they are named, their parents before them.
    depths, lengths = [0], [0]
    for entry, inode in enumerate(table.entry_inode):
        if stat.S_ISDIR(table.inode_mode[inode - 1]):
            # Of directories with the same start all but the last are empty.
            parent = bisect_right(starts, entry) - 1
            depths.append(depths[parent] + 1)
            lengths.append(lengths[parent] + 1 + len(table.name(entry)))
    ends = table.entry_name_end
    longest_name = max(map(int.__sub__, ends, [0, *ends[:-1]]), default=0)
    return max(map(int.__add__, depths, filled)), max(lengths) + longest_name
