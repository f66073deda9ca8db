"""A reader of the index of several kernels, written from tools/docs/fleet-index.md alone.

It uses no code of kheadersfs, and checks only what it needs to find its way.
"""

from __future__ import annotations

import hashlib
import stat
from itertools import accumulate
from typing import NamedTuple

from tests.support.index_reader import Columns, Listed, blocks_and_index, sections_of


class Kernels(NamedTuple):
    """What the first section says of kernels: name, release and architecture of each."""

    words: list[tuple[bytes, str, str]]
    listed: dict[bytes, Listed]
    inodes: dict[bytes, int]


def read_fleet_index(file: bytes) -> Kernels:
    """Return what the index of the archive *file* has, by path; its blocks have its digests."""
    stored, body = blocks_and_index(file, 4)
    first, *pages = sections_of(body)
    columns = Columns(first)
    blocks, _, shift, count = columns.unpack("IIII")
    columns.take(8)
    digests = [columns.take(32) for _ in range(blocks)]
    assert digests == [hashlib.sha256(block).digest() for block in stored]
    lengths = [columns.column(count) for _ in range(3)]
    modes, times = columns.column(count + 1), columns.column(count + 1)
    names, releases, arches = ([columns.take(n) for n in column] for column in lengths)
    (sets_count,) = columns.column(1)
    size = (count + 7) // 8
    sets = [int.from_bytes(columns.take(size), "little") for _ in range(sets_count)]
    columns.column(2)
    page_count, levels = columns.column(2)
    assert page_count == len(pages)
    columns.column(levels)
    columns.column(levels)
    entries, inodes, _, _ = (columns.column(page_count) for _ in range(4))
    columns.column(sum(columns.column(page_count)))
    directories = columns.column(page_count)
    assert columns.position == len(first)

    read = [
        _Page(Columns(page), entries[n], inodes[n] - (n == 0), directories[n], shift)
        for n, page in enumerate(pages)
    ]
    versions_end = 2 + sum(len(page.modes) for page in read)
    total = sum(directories)
    names_of = [name for page in read for name in page.names]
    children = [count for page in read for count in page.children]
    starts = [0, *accumulate(children)]
    versions = _by_entry(read)
    directory_of: dict[int, int] = {}
    for entry, there in enumerate(versions):
        if any(stat.S_ISDIR(version.mode) for version in there):
            directory_of[entry] = len(directory_of) + 1
    listed: dict[bytes, Listed] = {}
    numbers: dict[bytes, int] = {b"": 1}

    def show(kernel: int, directory: int, path: bytes, mode: int, mtime: int) -> None:
        subdirectories = 0
        for entry in range(starts[directory], starts[directory + 1]):
            for version in versions[entry]:
                if not sets[version.members] >> kernel & 1:
                    continue
                name = path + b"/" + names_of[entry]
                if stat.S_ISDIR(version.mode):
                    subdirectories += 1
                    show(kernel, directory_of[entry], name, version.mode, version.mtime)
                else:
                    links = bin(sets[version.members]).count("1")
                    numbers[name] = version.number
                    listed[name] = Listed(
                        version.mode,
                        links,
                        version.mtime,
                        version.size,
                        version.start,
                        version.target,
                    )
        numbers[path] = versions_end + kernel * total + directory
        listed[path] = Listed(mode, 2 + subdirectories, mtime, 0, 0, b"")

    for kernel, name in enumerate(names):
        show(kernel, 0, name, modes[kernel + 1], signed(times[kernel + 1]))
    words = [
        (name, release.decode(), arch.decode())
        for name, release, arch in zip(names, releases, arches, strict=True)
    ]
    return Kernels(words, listed, numbers)


def signed(time: int) -> int:
    return time - (time >> 63 << 64)


class _Version(NamedTuple):
    number: int
    members: int
    mode: int
    mtime: int
    size: int
    start: int
    target: bytes


class _Page:
    def __init__(
        self, columns: Columns, entries: int, rows: int, directories: int, shift: int
    ) -> None:
        lengths = columns.column(entries)
        self.counts = columns.column(entries)
        self.sets = columns.column(rows)
        self.modes = columns.column(rows)
        self.times = [signed(time) for time in columns.column(rows)]
        self.sizes = columns.column(rows)
        files = [row for row, mode in enumerate(self.modes) if stat.S_ISREG(mode)]
        blocks, gaps = columns.column(len(files)), columns.column(len(files))
        self.children = columns.column(directories)
        self.names = [columns.take(length) for length in lengths]
        self.starts, self.targets = [0] * rows, [b""] * rows
        expected: dict[int, int] = {}
        for row, block, stored in zip(files, blocks, gaps, strict=True):
            gap = -(stored + 1 >> 1) if stored % 2 else stored >> 1
            start = expected.get(block, 0) + gap
            self.starts[row] = start << shift
            expected[block] = start + -(-self.sizes[row] // (1 << shift)) + 1
        for row, mode in enumerate(self.modes):
            if stat.S_ISLNK(mode):
                self.targets[row] = columns.take(self.sizes[row])
        assert columns.position == len(columns.section)


def _by_entry(pages: list[_Page]) -> list[list[_Version]]:
    """Return the versions of each entry of all *pages*."""
    found: list[list[_Version]] = []
    number = 2
    for page in pages:
        row = 0
        for count in page.counts:
            found.append([])
            for _ in range(count):
                found[-1].append(
                    _Version(
                        number,
                        page.sets[row],
                        page.modes[row],
                        page.times[row],
                        page.sizes[row],
                        page.starts[row],
                        page.targets[row],
                    )
                )
                row += 1
                number += 1
    return found
