"""Which headers most builds read: the files that lie in an archive's hot blocks."""

from __future__ import annotations

import stat
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.page import ROOT, Place
from kheadersfs.tree import FleetTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kheadersfs.archive.names.table import Table
    from kheadersfs.tree import Tree

LARGEST_TABLE = 8
"""Pages of a table up to which hot headers are looked for: those of one kernel, and some more. To
decode those of very many names would take longer than a build, and stay in memory."""

_TYPE_SHIFT = 12
_FILE = stat.S_IFREG >> _TYPE_SHIFT
"""What a regular file's mode has above its permissions."""


class HotFile(NamedTuple):
    """A file: its inode number, and the extent of its content in the archive's stream."""

    start: int
    size: int
    inode: int


class HotEntry(NamedTuple):
    """A name in a directory: position in the listing, name, inode number."""

    position: int
    name: bytes
    inode: int


class Hot(NamedTuple):
    """The hot headers: what leads to them, by directory, and the files of each block, in order.

    That are their names, and those of the directories on the way to them. A directory comes before
    those in it, and otherwise one with more entries before one with fewer.
    """

    entries: dict[int, list[HotEntry]]
    blocks: list[list[HotFile]]


def can_be_found(tree: Tree) -> bool:
    """Tell whether hot headers of *tree* are found soon: it shows one kernel, and is not large."""
    if isinstance(tree, FleetTree):
        return tree.kernel is not None and len(tree.fleet) <= LARGEST_TABLE
    return len(tree.table) <= LARGEST_TABLE


def find_hot(tree: Tree, starts: Sequence[int], blocks: int, largest: int) -> Hot:
    """Return the files of up to *largest* bytes that lie in the first *blocks*, each in one.

    *starts* says where blocks start in the stream. Decodes all pages of the *tree*, of which
    can_be_found(), and takes 4 ms for one kernel's headers. Raises DamagedArchive.
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
    return lead_to(tree, set(columns.directories_naming(hot)), by_block)


def lead_to(tree: Tree, directories: set[int], blocks: list[list[HotFile]]) -> Hot:
    """Return what is hot if that are the files in *blocks*, which *directories* name."""
    pending = list(directories)
    while pending:
        parent = tree.parent(pending.pop())
        if parent not in directories:
            directories.add(parent)
            pending.append(parent)
    leading = directories | {file.inode for files in blocks for file in files}
    entries = {
        directory: [HotEntry(*entry) for entry in tree.entries(directory) if entry[-1] in leading]
        for directory in directories
    }
    return Hot(_in_order(tree, entries), blocks)


def _in_order(tree: Tree, entries: dict[int, list[HotEntry]]) -> dict[int, list[HotEntry]]:
    """Return *entries* in the order that Hot describes."""
    most = dict.fromkeys(entries, 0)
    """Of each directory, how many entries it has, or a directory below it."""
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
    """The pages of one kernel's table, column by column, which is faster than name by name."""

    def __init__(self, table: Table) -> None:
        self._pages = [table.page(number) for number in range(len(table))]

    def files_before(self, end: int, largest: int) -> Iterator[HotFile]:
        """Yield the files of up to *largest* bytes whose content lies before *end*."""
        for page in self._pages:
            columns = zip(page.inode_mode, page.inode_start, page.inode_size, strict=True)
            for inode, (mode, start, size) in enumerate(columns, page.first_inode):
                if start + size <= end and 0 < size <= largest and mode >> _TYPE_SHIFT == _FILE:
                    yield HotFile(start, size, inode)

    def directories_naming(self, inodes: set[int]) -> Iterator[int]:
        """Yield the directories that name any of *inodes*."""
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
    """The same of the one of several kernels that a tree shows."""

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
    return bisect_left(ascending, start) < bisect_left(ascending, end)
