"""A page of a table: names and inodes as columns.

A kernel has tens of thousands of headers and a server may hold several kernels, so there is no
object per file: a page is a handful of arrays, some 30 bytes a name plus the name itself.
"""

from __future__ import annotations

import stat
import sys
from bisect import bisect_right
from itertools import chain, compress, pairwise

from kheadersfs.bare import array
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_LIMIT = 255
"""Bytes of a name, as the kernel's NAME_MAX has it."""
SYMLINK_PERMISSIONS = 0o777
"""What Linux shows for every symlink, whatever an archive says."""
ROOT = 1
"""The inode number of the root directory, as FUSE has it."""
LATEST = (1 << 63) - 1
"""The farthest from 1970, either way, that a time in nanoseconds can be."""

_HAS_TYPE = {
    file_type: bytes(second >> 4 == file_type >> 12 for second in range(256))
    for file_type in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
}
"""For each file type, whether each second byte of a mode is of it."""


class Described(Record):
    """What an inode is; ``mtime`` is in nanoseconds, ``links`` how many names there are."""

    mode: int
    mtime: int
    size: int
    links: int


class Place(Record):
    """A directory of one of several kernels, by the numbers of both; 0 is a kernel's root."""

    kernel: int
    directory: int


class Page(Record):
    """Some of a table's entries, and the inodes that these name for the first time.

    Entries (one per name) are grouped by directory and sorted by name within it; directories
    come in breadth-first order, and inodes are numbered in that order of first appearance.
    So the numbers depend on the archive's names alone, and are the same at every mount. All
    entries of a directory are in one page.

    For a directory ``inode_start`` is its first entry and ``inode_size`` the number of them;
    for a file they are the extent of its content in the archive's stream, for a symlink the
    extent of its target in ``targets``.
    """

    first_entry: int
    """Entries are counted through the whole table, from 0."""
    first_inode: int
    """Inodes are counted through the whole table too, from ROOT. The root is in the first page,
    though no entry names it."""
    entry_inode: array[int]
    """Type I: inode number per entry."""
    repeats: array[int]
    """Type I: the entries, ascending, whose inodes other entries have named before: hard links."""
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
        ends, place = self.entry_name_end, entry - self.first_entry
        return self.names[ends[place - 1] if place else 0 : ends[place]]

    def listing(self, entries: range) -> tuple[list[bytes], array[int]]:
        """Return the names of *entries*, and the inodes that these name."""
        if not entries:  # which need not be in here then
            return [], array("I")
        first, last = entries.start - self.first_entry, entries.stop - self.first_entry
        start = self.entry_name_end[first - 1] if first else 0
        ends = pairwise(chain((start,), self.entry_name_end[first:last]))
        return [self.names[start:end] for start, end in ends], self.entry_inode[first:last]

    def inode(self, entry: int) -> int:
        """Return the inode that entry number *entry* names."""
        return self.entry_inode[entry - self.first_entry]

    def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*, which is in here."""
        row = inode - self.first_inode
        start = self.inode_start[row]
        return self.targets[start : start + self.inode_size[row]]

    def rows(self, file_type: int) -> list[int]:
        """Return the rows of the inodes of *file_type*, which is one of those of module stat."""
        return rows_of_type(self.inode_mode, file_type)

    def naming_entry(self, inode: int) -> int:
        """Return the entry that first names *inode*, which is in here and not the root."""
        entry = self.first_entry + inode - first_named(self.first_inode)
        repeats = self.repeats
        # Without hard links, entries name one inode each. Each repeat before the entry that is
        # looked for moves that one place further back.
        return entry + bisect_right(range(len(repeats)), entry, key=lambda n: repeats[n] - n)


def rows_of_type(modes: array[int], file_type: int) -> list[int]:
    """Return the rows of *modes* that are of *file_type*."""
    # The second byte of a mode has the type in its upper half. So nothing is done row by row here.
    second = 1 if sys.byteorder == "little" else modes.itemsize - 2
    is_wanted = modes.tobytes()[second :: modes.itemsize].translate(_HAS_TYPE[file_type])
    return list(compress(range(len(modes)), is_wanted))


def first_named(first_inode: int) -> int:
    """Return the first inode that entries name in a page from *first_inode* on: never the root."""
    return max(first_inode, ROOT + 1)


def join(pages: list[Page]) -> Page:
    """Return all *pages* of a table as one."""
    ends, starts = array("I"), array("Q")
    names_size = targets_size = 0
    for page in pages:
        ends.extend(names_size + end for end in page.entry_name_end)
        starts.extend(_shift_targets(page, targets_size))
        names_size += len(page.names)
        targets_size += len(page.targets)

    def joined(typecode: str, columns: Iterator[array[int]]) -> array[int]:
        return array(typecode, chain.from_iterable(columns))

    return Page(
        first_entry=0,
        first_inode=ROOT,
        entry_inode=joined("I", (page.entry_inode for page in pages)),
        repeats=joined("I", (page.repeats for page in pages)),
        entry_name_end=ends,
        names=b"".join(page.names for page in pages),
        inode_mode=joined("I", (page.inode_mode for page in pages)),
        inode_links=joined("I", (page.inode_links for page in pages)),
        inode_mtime=joined("q", (page.inode_mtime for page in pages)),
        inode_size=joined("Q", (page.inode_size for page in pages)),
        inode_start=starts,
        targets=b"".join(page.targets for page in pages),
    )


def _shift_targets(page: Page, by: int) -> array[int]:
    starts = page.inode_start[:]
    for row in page.rows(stat.S_IFLNK):
        starts[row] += by
    return starts
