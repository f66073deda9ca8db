"""Which headers most builds read: the files that lie in an archive's hot blocks."""

from __future__ import annotations

import stat
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.names.page import Page
    from kheadersfs.archive.names.table import Table

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
    """The hot headers: what names them, by directory, and the files of each block, in order."""

    entries: dict[int, list[HotEntry]]
    blocks: list[list[HotFile]]


def find_hot(table: Table, starts: Sequence[int], blocks: int, largest: int) -> Hot:
    """Return the files of up to *largest* bytes that lie in the first *blocks*, each in one.

    *starts* says where blocks start in the stream. Decodes all pages of the *table*, and takes 4 ms
    for one kernel's headers. Raises DamagedArchive.
    """
    pages = [table.page(number) for number in range(len(table))]
    files = sorted(file for page in pages for file in _files_before(page, starts[blocks], largest))
    by_block: list[list[HotFile]] = [[] for _ in range(blocks)]
    number = 0
    for file in files:
        while file.start >= starts[number + 1]:
            number += 1
        if file.start + file.size <= starts[number + 1]:
            by_block[number].append(file)
    hot = {file.inode for files in by_block for file in files}
    named = [
        entry
        for page in pages
        for entry, inode in enumerate(page.entry_inode, page.first_entry)
        if inode in hot
    ]
    entries: dict[int, list[HotEntry]] = {}
    for page in pages:
        for row in page.rows(stat.S_IFDIR):
            start, size = page.inode_start[row], page.inode_size[row]
            # What has none is not looked at any further, which takes several times as long.
            if bisect_left(named, start) < bisect_left(named, start + size):
                directory = page.first_inode + row
                entries[directory] = _entries_of(table, directory, hot)
    return Hot(entries, by_block)


def _files_before(page: Page, end: int, largest: int) -> list[HotFile]:
    """Return the files of *page* whose content lies before *end* in the stream."""
    columns = zip(page.inode_mode, page.inode_start, page.inode_size, strict=True)
    return [
        HotFile(start, size, inode)
        for inode, (mode, start, size) in enumerate(columns, page.first_inode)
        if start + size <= end and 0 < size <= largest and mode >> _TYPE_SHIFT == _FILE
    ]


def _entries_of(table: Table, directory: int, hot: set[int]) -> list[HotEntry]:
    page, entries = table.directory(directory)
    first = entries.start - page.first_entry
    inodes = page.entry_inode[first : first + len(entries)]
    return [
        HotEntry(position, page.name(entries[position - 1]), inode)
        for position, inode in enumerate(inodes, 1)
        if inode in hot
    ]
