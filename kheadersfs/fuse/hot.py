"""Find the hot headers: the files in those blocks of an archive that most builds read.

The index of an archive says how many of its first blocks are hot.
"""

from __future__ import annotations

import stat
from bisect import bisect_left
from itertools import pairwise

from kheadersfs.archive.names.page import ROOT, Place
from kheadersfs.fuse.absent import find_absent
from kheadersfs.records import Record
from kheadersfs.tree import FleetTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kheadersfs.archive.names.table import Table
    from kheadersfs.tree import Tree

LARGEST_TABLE = 8
"""Most pages that a table may have for its hot headers to be looked for; one kernel's has 4.
Larger tables take longer to decode than a build saves, and decoded pages stay in memory."""

_TYPE_SHIFT = 12
_FILE = stat.S_IFREG >> _TYPE_SHIFT
"""The file type in the mode of a regular file."""


class HotFile(Record):
    """A hot header: its inode number, and where its content is in the archive's stream, in bytes.

    Such tuples sort in the order of the stream.
    """

    start: int
    size: int
    inode: int


class HotEntry(Record):
    """An entry of a directory: its position in the listing, its name, its inode number."""

    position: int
    name: bytes
    inode: int


class Hot(Record):
    """The hot headers of a tree.

    ``entries`` has, for the inode number of each directory, the entries that are hot headers or
    directories that lead to some. A directory with more entries comes before one with fewer, but
    after its own parent. ``blocks`` has the files of each hot block, in the order of the stream.
    ``absent`` has the paths at which a compiler looks for these files in vain.
    """

    entries: dict[int, list[HotEntry]]
    blocks: list[list[HotFile]]
    absent: list[bytes]


def can_be_found(tree: Tree) -> bool:
    """Tell whether *tree* shows one kernel and is small enough to be searched for hot headers."""
    if isinstance(tree, FleetTree):
        return tree.kernel is not None and len(tree.fleet) <= LARGEST_TABLE
    return len(tree.table) <= LARGEST_TABLE


def find_hot(tree: Tree, starts: Sequence[int], blocks: int, largest: int, srcarch: str) -> Hot:
    """Return the files of up to *largest* bytes that lie within one of the first *blocks* blocks.

    *starts* are the offsets in bytes at which blocks start in the stream, and the stream's end.
    *srcarch* is the kernel's, empty if unknown. The caller has made sure that can_be_found().
    Decodes all pages of the table, which takes 4 ms for one kernel's headers. Raises
    DamagedArchive.
    """
    columns = _FleetColumns(tree) if isinstance(tree, FleetTree) else _Columns(tree.table)
    files = sorted(columns.files_before(starts[blocks], largest))
    by_block: list[list[HotFile]] = [[] for _ in range(blocks)]
    number = 0
    for file in files:
        while file.start >= starts[number + 1]:
            number += 1
        if file.start + file.size <= starts[number + 1]:
            by_block[number].append(file)
    hot = {file.inode for files in by_block for file in files}
    return lead_to(tree, set(columns.directories_naming(hot)), by_block, srcarch)


def lead_to(tree: Tree, directories: set[int], blocks: list[list[HotFile]], srcarch: str) -> Hot:
    """Return the files in *blocks*, with the entries on the way to them.

    *directories* are the inode numbers of the directories that have entries for these files. Their
    ancestors are added to it. *srcarch* is the kernel's. Raises DamagedArchive.
    """
    pending = list(directories)
    while pending:
        parent = tree.parent(pending.pop())
        if parent not in directories:
            directories.add(parent)
            pending.append(parent)
    hot = {file.inode for files in blocks for file in files}
    leading = directories | hot
    entries = {
        directory: [
            HotEntry(position, name, inode)
            for position, (name, inode) in enumerate(tree.names(directory).items(), 1)
            if inode in leading
        ]
        for directory in directories
    }
    entries = _in_order(tree, entries)
    headers = {
        directory: names
        for directory, found in entries.items()
        if (names := [entry.name for entry in found if entry.inode in hot])
    }
    return Hot(entries, blocks, find_absent(tree, headers, srcarch))


def _in_order(tree: Tree, entries: dict[int, list[HotEntry]]) -> dict[int, list[HotEntry]]:
    """Return *entries* in the order that Hot describes."""
    # The number of entries of a directory, or of that one below it which has the most. So no
    # directory has fewer than one in it.
    most = dict.fromkeys(entries, 0)
    depth = dict.fromkeys(entries, 0)
    for directory, found in entries.items():
        above = directory
        while most[above] < len(found):
            most[above] = len(found)
            above = tree.parent(above)
        above = directory
        while above != ROOT:
            depth[directory] += 1
            above = tree.parent(above)
    order = sorted(entries, key=lambda directory: (-most[directory], depth[directory]))
    return {directory: entries[directory] for directory in order}


class _Columns:
    """The table of a Tree. It is read column by column, which is faster than entry by entry."""

    def __init__(self, table: Table) -> None:
        self._pages = [table.page(number) for number in range(len(table))]

    def files_before(self, end: int, largest: int) -> Iterator[HotFile]:
        """Yield the files of up to *largest* bytes whose content ends at offset *end* or before."""
        for page in self._pages:
            starts, sizes = page.inode_start, page.inode_size
            for row in page.rows(stat.S_IFREG):
                if starts[row] < end:
                    start, size = starts[row], sizes[row]
                    if start + size <= end and 0 < size <= largest:
                        yield HotFile(start, size, page.first_inode + row)

    def directories_naming(self, inodes: set[int]) -> Iterator[int]:
        """Yield the inode numbers of the directories that have an entry for any of *inodes*."""
        named = [
            entry
            for page in self._pages
            for entry, inode in enumerate(page.entry_inode, page.first_entry)
            if inode in inodes
        ]
        for page in self._pages:
            for row in page.rows(stat.S_IFDIR):
                start = page.inode_start[row]
                if _has_any(named, start, start + page.inode_size[row]):
                    yield page.first_inode + row


class _FleetColumns:
    """The same for a FleetTree, whose table has several kernels, of which it shows one."""

    def __init__(self, tree: FleetTree) -> None:
        assert tree.kernel is not None
        table, kernel = tree.fleet, tree.kernel
        self._pages = [table.page(number) for number in range(len(table))]
        self._within = [members >> kernel & 1 for members in table.sets]
        self._table, self._kernel = table, kernel

    def files_before(self, end: int, largest: int) -> Iterator[HotFile]:
        """See _Columns.files_before."""
        for page in self._pages:
            columns = zip(page.mode, page.start, page.size, page.kernel_set, strict=True)
            for inode, (mode, start, size, members) in enumerate(columns, page.first_inode):
                if (
                    start + size <= end
                    and 0 < size <= largest
                    and mode >> _TYPE_SHIFT == _FILE
                    and self._within[members]
                ):
                    yield HotFile(start, size, inode)

    def directories_naming(self, inodes: set[int]) -> Iterator[int]:
        """See _Columns.directories_naming."""
        named = [
            page.entry_of(row)
            for page in self._pages
            for row in range(len(page.mode))
            if page.first_inode + row in inodes
        ]
        for page in self._pages:
            for directory, span in enumerate(pairwise(page.children), page.first_directory):
                if _has_any(named, *span):
                    place = Place(self._kernel, directory)
                    yield self._table.inode_of(place) if directory else ROOT


def _has_any(ascending: list[int], start: int, end: int) -> bool:
    """Tell whether any of *ascending* is from *start* on and below *end*."""
    return bisect_left(ascending, start) < bisect_left(ascending, end)
