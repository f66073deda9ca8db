"""Builds the pages of an index from the versions that several kernels have at each path."""

from __future__ import annotations

import stat
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.fleet.page import Versions
from kheadersfs.archive.names.bounds import Bounds
from kheadersfs.archive.names.outline import PAGE_ENTRIES, Outline
from kheadersfs.archive.names.page import ROOT
from kheadersfs.archive.names.pages import shift_of
from kheadersfs.bare import array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kheadersfs.archive.fleet.kernels import Directory, FleetKernel


class Version(NamedTuple):
    """What some kernels have at a path.

    ``members`` has a bit for each of these kernels, the lowest for kernel 0. ``mode`` is st_mode,
    ``mtime`` in nanoseconds, ``size`` in bytes. ``start`` is the offset of a file's content in the
    decompressed stream. ``target`` is that of a symlink.
    """

    members: int
    mode: int
    mtime: int
    size: int = 0
    start: int = 0
    target: bytes = b""


class Union(NamedTuple):
    """What an index of several kernels says of their names.

    ``root`` is the archive's root. ``sets`` are the different ``Version.members``, ascending.
    ``page_directories`` is the number of directories of each page, the kernels' roots counting as
    one in the first. Starts of files are written in units of ``1 << shift`` bytes.
    """

    root: Directory
    kernels: Sequence[FleetKernel]
    sets: list[int]
    outline: Outline
    page_directories: list[int]
    pages: list[Versions]
    shift: int


class _Entry(NamedTuple):
    """A name and its versions.

    ``children`` are the names in it if a version is a directory, None if none is.
    """

    name: bytes
    versions: Sequence[Version]
    children: list[bytes] | None


def unite(
    root: Directory,
    kernels: Sequence[FleetKernel],
    versions: Mapping[bytes, Sequence[Version]],
    block_starts: Sequence[int],
    page_entries: int = PAGE_ENTRIES,
) -> Union:
    """Return what an index of *kernels*, sorted by name, has to say.

    *versions* are those of each path. A path is relative to a kernel's root. The root itself is not
    among the paths; all directories above a path are. *block_starts* are the offsets in the stream
    where blocks begin. A page ends with the directory that brings it to *page_entries* entries.
    """
    levels = list(_levels(versions))
    entries = [entry for level in levels for entry in level]
    # Numbers of entries: in the kernels' roots, and in each directory in the order of its entry.
    children = [len(levels[0]) if levels else 0]
    children += [len(entry.children) for entry in entries if entry.children is not None]
    cuts = _cuts(children, page_entries)
    sets = sorted({version.members for entry in entries for version in entry.versions})
    numbers = {members: number for number, members in enumerate(sets)}
    pages: list[Versions] = []
    page_directories: list[int] = []
    taken = 0
    for first, last in pairwise(cuts):
        here = entries[first:last]
        directories = sum(entry.children is not None for entry in here) + (not pages)
        page_directories.append(directories)
        pages.append(_page(here, children[taken : taken + directories], numbers, block_starts))
        taken += directories
    outline = _outline(levels, cuts, pages)
    shift = shift_of(start for page in pages for start in page.starts)
    return Union(root, kernels, sets, outline, page_directories, pages, shift)


def _levels(versions: Mapping[bytes, Sequence[Version]]) -> Iterator[list[_Entry]]:
    """Yield the entries of all directories at one depth, beginning with the kernels' roots."""
    listed: dict[bytes, list[bytes]] = {}
    for path in versions:
        parent, _, name = path.rpartition(b"/")
        listed.setdefault(parent, []).append(name)
    level = [b""]
    while level:
        following: list[bytes] = []
        entries: list[_Entry] = []
        for directory in level:
            for name in sorted(listed.get(directory, ())):
                path = directory + b"/" + name if directory else name
                there = versions[path]
                children = None
                if any(stat.S_ISDIR(version.mode) for version in there):
                    children = listed.get(path, [])
                    following.append(path)
                entries.append(_Entry(name, there, children))
        if entries:
            yield entries
        level = following


def _cuts(children: list[int], page_entries: int) -> list[int]:
    """Return the number of each page's first entry, and at last the number of all entries.

    *children* are the numbers of entries in each directory.
    """
    cuts = [0]
    starts = list(accumulate(children, initial=0))
    for start in starts[:-1]:
        if start - cuts[-1] >= page_entries and start < starts[-1]:
            cuts.append(start)
    return [*cuts, starts[-1]]


def _page(
    entries: list[_Entry],
    children: list[int],
    numbers: Mapping[int, int],
    block_starts: Sequence[int],
) -> Versions:
    """Return the columns of a page.

    *children* are the numbers of entries in its directories, *numbers* those of the sets.
    """
    rows = [version for entry in entries for version in entry.versions]
    files = [version for version in rows if stat.S_ISREG(version.mode)]
    return Versions(
        name_lengths=[len(entry.name) for entry in entries],
        counts=[len(entry.versions) for entry in entries],
        sets=[numbers[version.members] for version in rows],
        modes=[version.mode for version in rows],
        mtimes=[version.mtime for version in rows],
        sizes=[len(version.target) or version.size for version in rows],
        blocks=[bisect_right(block_starts, version.start) - 1 for version in files],
        starts=[version.start for version in files],
        children=children,
        names=b"".join(entry.name for entry in entries),
        targets=b"".join(version.target for version in rows),
    )


def _outline(levels: list[list[_Entry]], cuts: list[int], pages: list[Versions]) -> Outline:
    """Return what is known of all pages before any is read; see names.outline."""
    inodes = accumulate((len(page.modes) for page in pages), initial=ROOT)
    ends = accumulate((sum(page.children) for page in pages), initial=0)
    files = [
        [s for m, s in zip(page.modes, page.sizes, strict=True) if stat.S_ISREG(m)]
        for page in pages
    ]
    targets = (
        size
        for page in pages
        for mode, size in zip(page.modes, page.sizes, strict=True)
        if stat.S_ISLNK(mode)
    )
    # The archive's root counts as an inode of the first page, as it does in version 3.
    bounds = Bounds(
        array("I", cuts),
        array("I", [ROOT, *(end + 1 for end in list(inodes)[1:])]),
        array("I", ends),
    )
    return Outline(
        bounds=bounds,
        level_starts=array("I", accumulate(map(len, levels), initial=0)),
        level_names=array("I", [max(len(entry.name) for entry in level) for level in levels]),
        page_contents=array("Q", [sum(sizes) for sizes in files]),
        page_blocks=[array("I", sorted(set(page.blocks))) for page in pages],
        largest_file=max((size for sizes in files for size in sizes), default=0),
        longest_target=max(targets, default=0),
    )
