"""The kernels of an archive, and the sets of kernels that have versions in common."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.columns import Sections, encode_column, word
from kheadersfs.archive.names.page import NAME_LIMIT
from kheadersfs.archive.names.soundness import check_listing, check_modes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_KERNELS = 1 << 12
"""Kernels that one archive may have."""
_NOT_IN_NAMES = (b"/", b"\0")


class Directory(NamedTuple):
    """A directory that no page lists: its st_mode, and its modification time in nanoseconds."""

    mode: int
    mtime: int


class FleetKernel(NamedTuple):
    """A kernel: the name of its directory in the archive's root, and that directory as ``root``.

    ``release`` and ``arch``, the SRCARCH, are empty when they are not known.
    """

    name: bytes
    release: str
    arch: str
    root: Directory


def encode_kernels(kernels: Sequence[FleetKernel], root: Directory) -> bytes:
    """Return *kernels*, sorted by name, and the archive's *root* as bytes for decode_kernels()."""
    words = [
        [kernel.name for kernel in kernels],
        [kernel.release.encode() for kernel in kernels],
        [kernel.arch.encode() for kernel in kernels],
    ]
    directories = [root, *(kernel.root for kernel in kernels)]
    columns = [
        *(encode_column(map(len, column)) for column in words),
        encode_column(directory.mode for directory in directories),
        # A time before 1970 is negative. A column has no signs, so it gets the two's complement.
        encode_column(directory.mtime & (1 << 64) - 1 for directory in directories),
    ]
    return b"".join([*columns, *(word for column in words for word in column)])


def decode_kernels(sections: Sections, count: int) -> tuple[Directory, list[FleetKernel]]:
    """Return the archive's root and its *count* kernels. Raises ValueError for what cannot be."""
    if not 0 < count <= MOST_KERNELS:
        raise ValueError("it has an impossible number of kernels")
    lengths = [sections.column(count, "B") for _ in range(3)]
    modes = sections.column(count + 1, "I")
    times = sections.column(count + 1, "Q")
    names, releases, arches = ([sections.take(n) for n in column] for column in lengths)
    check_modes(modes)
    directories = [
        Directory(mode, time - (time >> 63 << 64)) for mode, time in zip(modes, times, strict=True)
    ]
    if any(mode & 0o170000 != 0o040000 for mode in modes):
        raise ValueError("its root or a kernel's is not a directory")
    check_listing(names)
    if any(not name or len(name) > NAME_LIMIT for name in names) or any(
        byte in name for name in names for byte in _NOT_IN_NAMES
    ):
        raise ValueError("it names a kernel that cannot be")
    kernels = [
        FleetKernel(name, word(release), word(arch), root)
        for name, release, arch, root in zip(names, releases, arches, directories[1:], strict=True)
    ]
    return directories[0], kernels


def encode_sets(sets: Iterable[int], kernels: int) -> bytes:
    """Return *sets* as bytes for decode_sets().

    Each is a number with a bit for each kernel, of which there are *kernels*.
    """
    size = -(-kernels // 8)
    listed = list(sets)
    return encode_column([len(listed)]) + b"".join(s.to_bytes(size, "little") for s in listed)


def decode_sets(sections: Sections, kernels: int) -> list[int]:
    """Return the sets of so many *kernels*.

    Raises ValueError unless they ascend, and each has a kernel and none that there is not.
    """
    (count,) = sections.column(1, "I")
    size = -(-kernels // 8)
    payload = sections.take(count * size)
    sets = [
        int.from_bytes(payload[start : start + size], "little")
        for start in range(0, count * size, size)
    ]
    if (sets and (not sets[0] or sets[-1] >> kernels)) or any(a >= b for a, b in pairwise(sets)):
        raise ValueError("it has a set of kernels that cannot be")
    return sets
