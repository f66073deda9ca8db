"""Every name and every inode of an archive, as columns.

A kernel has tens of thousands of headers and a server may hold several kernels, so there is no
object per file: a table is a handful of arrays, some 30 bytes a name plus the name itself, which
the embedded index stores as they are.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

NAME_LIMIT = 255
"""Bytes of a name, as the kernel's NAME_MAX has it."""
ROOT = 1
"""The inode number of the root directory, as FUSE has it. Inode *i* is row ``i - 1``."""
LATEST = (1 << 63) - 1
"""The farthest from 1970, either way, that a time in nanoseconds can be."""


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
