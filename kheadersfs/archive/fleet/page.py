"""A page of a table of several kernels: names, and the versions that kernels have of each.

The pages list the names of all kernels together, each once, in breadth-first order. A version is a
file, a directory or a symlink. A kernel has at most one version of a name. A name of which some
versions are directories has one number as a directory, for all kernels. The kernels' roots together
are directory number 0.
"""

from __future__ import annotations

import stat
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.columns import Sections, encode_column
from kheadersfs.archive.names.page import first_named
from kheadersfs.archive.names.pages import gaps_of, place, read_starts
from kheadersfs.archive.names.soundness import (
    check_modes,
    check_names,
    check_sizes,
    check_targets,
)
from kheadersfs.bare import array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.names.outline import Outline


class FleetPage(NamedTuple):
    """Some names, and the versions of each.

    An entry is a name, and a row is a version. Entries, directories and inodes are numbered through
    all pages, rows from 0 in each page. The inode number of a row that is no directory is
    ``first_inode`` plus the row's.
    """

    first_entry: int
    first_inode: int
    """Inode number of the first row."""
    first_directory: int
    entry_name_end: array[int]
    """Type I: offset in ``names`` where each entry's name ends, and the next one's begins."""
    names: bytes
    entry_rows: array[int]
    """Type I: the first row of each entry, and at last the number of all rows."""
    kernel_set: array[int]
    """Type I: for each row, the number of the set of the kernels that have it."""
    mode: array[int]
    """Type I: file type and permissions, as in st_mode."""
    mtime: array[int]
    """Type q: nanoseconds since 1970."""
    size: array[int]
    """Type Q: bytes of a file, or of a symlink's target; 0 for a directory."""
    start: array[int]
    """Type Q: offset of a file's content in the stream, or of a symlink's target in ``targets``."""
    targets: bytes
    directories: array[int]
    """Type q: the entry of each directory named here, ascending; -1 for the kernels' roots."""
    children: array[int]
    """Type I: the first entry in each directory, and at last where the last one's entries end."""

    def name(self, entry: int) -> bytes:
        """Return the name of entry number *entry*."""
        ends, number = self.entry_name_end, entry - self.first_entry
        return self.names[ends[number - 1] if number else 0 : ends[number]]

    def rows(self, entry: int) -> range:
        """Return the rows of entry number *entry*: its versions."""
        number = entry - self.first_entry
        return range(self.entry_rows[number], self.entry_rows[number + 1])

    def entry_of(self, row: int) -> int:
        """Return the number of the entry that *row* is a version of."""
        return self.first_entry + bisect_right(self.entry_rows, row) - 1

    def directory_number(self, entry: int) -> int:
        """Return the directory number of *entry*, which is a directory in some kernels."""
        return self.first_directory + bisect_right(self.directories, entry) - 1


class Versions(NamedTuple):
    """The columns of a page in the index; tools/docs/fleet-index.md says what each is."""

    name_lengths: Sequence[int]
    counts: Sequence[int]
    sets: Sequence[int]
    modes: Sequence[int]
    mtimes: Sequence[int]
    sizes: Sequence[int]
    blocks: Sequence[int]
    """The block that each file begins in."""
    starts: Sequence[int]
    """The offset of each file's content in the stream, in bytes."""
    children: Sequence[int]
    """The number of entries in each directory."""
    names: bytes
    targets: bytes


def encode_page(versions: Versions, shift: int) -> bytes:
    """Return a page as bytes for decode_page(). Starts are in units of ``1 << shift`` bytes."""
    files = [
        size
        for mode, size in zip(versions.modes, versions.sizes, strict=True)
        if stat.S_ISREG(mode)
    ]
    columns = (
        versions.name_lengths,
        versions.counts,
        versions.sets,
        versions.modes,
        [mtime & (1 << 64) - 1 for mtime in versions.mtimes],
        versions.sizes,
        versions.blocks,
        gaps_of(zip(versions.starts, files, strict=True), versions.blocks, shift),
        versions.children,
    )
    return b"".join((*map(encode_column, columns), versions.names, versions.targets))


def decode_page(
    payload: bytes,
    number: int,
    outline: Outline,
    first_directories: Sequence[int],
    sets: Sequence[int],
    block_starts: Sequence[int],
    shift: int,
) -> FleetPage:
    """Return page *number* from its section *payload*, after checking that it is sound in itself.

    *first_directories* are the numbers of each page's first directory, and at last the number of
    all directories. *block_starts* are the offsets in the stream where blocks begin, and at last
    where the last one ends. Raises ValueError when the page cannot be right.
    """
    sections = Sections(payload)
    bounds = outline.bounds
    entries = bounds.entries[number + 1] - bounds.entries[number]
    first_inode = first_named(bounds.inodes[number])
    rows = bounds.inodes[number + 1] - first_inode
    name_ends = array("I", accumulate(sections.column(entries, "B")))
    counts = sections.column(entries, "I")
    kernel_set = sections.column(rows, "I")
    modes = sections.column(rows, "I")
    times = array("q", sections.column(rows, "Q").tobytes())
    sizes = sections.column(rows, "Q")
    if 0 in counts or sum(counts) != rows:
        raise ValueError("a name has no version, or a version no name")
    entry_rows = array("I", accumulate(counts, initial=0))
    check_modes(modes)
    kinds = [stat.S_IFMT(mode) for mode in modes]
    files = [row for row, kind in enumerate(kinds) if kind == stat.S_IFREG]
    links = [row for row, kind in enumerate(kinds) if kind == stat.S_IFLNK]
    starts = read_starts(sections, files, sizes, outline.page_blocks[number], block_starts, shift)
    directories = _directories(
        kinds, sizes, entry_rows, bounds.entries[number], is_first=not number
    )
    if len(directories) != first_directories[number + 1] - first_directories[number]:
        raise ValueError("it has another number of directories than it says")
    children = array(
        "I",
        accumulate(sections.column(len(directories), "I"), initial=bounds.children[number]),
    )
    targets_size = place(starts, links, sizes, 0)
    page = FleetPage(
        first_entry=bounds.entries[number],
        first_inode=first_inode,
        first_directory=first_directories[number],
        entry_name_end=name_ends,
        names=sections.take(name_ends[-1] if entries else 0),
        entry_rows=entry_rows,
        kernel_set=kernel_set,
        mode=modes,
        mtime=times,
        size=sizes,
        start=starts,
        targets=sections.take(targets_size),
        directories=directories,
        children=children,
    )
    sections.finish()
    _check_children(page, number, outline)
    _check_sets(page, sets)
    check_names(page.first_entry, name_ends, page.names, outline)
    check_sizes([sizes[row] for row in files], [sizes[row] for row in links], number, outline)
    check_targets(page.targets)
    return page


def _directories(
    kinds: list[int], sizes: array[int], entry_rows: array[int], first_entry: int, is_first: bool
) -> array[int]:
    """Return the entries that are directories; in the first page -1, for the roots, comes first.

    Raises ValueError when a directory has a size.
    """
    directories = array("q", (-1,) if is_first else ())
    for row, kind in enumerate(kinds):
        if kind == stat.S_IFDIR:
            if sizes[row]:
                raise ValueError("a directory has content")
            entry = first_entry + bisect_right(entry_rows, row) - 1
            if not len(directories) or directories[-1] != entry:
                directories.append(entry)
    return directories


def _check_children(page: FleetPage, number: int, outline: Outline) -> None:
    """Check that the entries of each directory are one level below the directory.

    Raises ValueError.
    """
    if page.children[-1] != outline.bounds.children[number + 1]:
        raise ValueError("its directories do not add up to its entries")
    levels = outline.level_starts
    for directory, span in zip(page.directories, pairwise(page.children), strict=True):
        level = bisect_right(levels, directory) if directory >= 0 else 0
        first, last = (levels[min(end, len(levels) - 1)] for end in (level, level + 1))
        if not first <= span[0] <= span[1] <= last:
            raise ValueError("a directory's entries are not where they should be")


def _check_sets(page: FleetPage, sets: Sequence[int]) -> None:
    """Check that no kernel has two versions of a name. Raises ValueError."""
    if max(page.kernel_set, default=0) >= len(sets) and len(page.kernel_set):
        raise ValueError("it has a version that is in no set of kernels")
    for first, last in pairwise(page.entry_rows):
        if last - first > 1:
            seen = 0
            for row in range(first, last):
                members = sets[page.kernel_set[row]]
                if seen & members:
                    raise ValueError("a kernel has two versions of a name")
                seen |= members
