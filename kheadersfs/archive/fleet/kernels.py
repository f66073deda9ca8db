"""The kernels of an archive, and the sets of them that have something in common."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.columns import Sections, encode_column, word
from kheadersfs.archive.names.page import NAME_LIMIT
from kheadersfs.archive.names.soundness import check_listing, check_modes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_KERNELS = 1 << 12
_NOT_IN_NAMES = (b"/", b"\0")


class Directory(NamedTuple):
    """Permissions with the type, as st_mode, and the modification time in nanoseconds."""

    mode: int
    mtime: int


class FleetKernel(NamedTuple):
    """A kernel: the name of its directory, its release and SRCARCH, empty when unknown."""

    name: bytes
    release: str
    arch: str
    root: Directory


def encode_kernels(kernels: Sequence[FleetKernel], root: Directory) -> bytes:
    """Return *kernels*, sorted by name, and the archive's *root* as decode_kernels() reads them."""
    words = [
        [kernel.name for kernel in kernels],
        [kernel.release.encode() for kernel in kernels],
        [kernel.arch.encode() for kernel in kernels],
    ]
    directories = [root, *(kernel.root for kernel in kernels)]
    columns = [
        *(encode_column(map(len, column)) for column in words),
        encode_column(directory.mode for directory in directories),
        # Times may lie before 1970, so they are kept as they would be in memory, unsigned.
        encode_column(directory.mtime & (1 << 64) - 1 for directory in directories),
    ]
    return b"".join([*columns, *(word for column in words for word in column)])


def decode_kernels(sections: Sections, count: int) -> tuple[Directory, list[FleetKernel]]:
    """Return the archive's root and its *count* kernels. Raises ValueError."""
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
    """Return *sets*, each a number with a bit for each of so many *kernels*."""
    size = -(-kernels // 8)
    listed = list(sets)
    return encode_column([len(listed)]) + b"".join(s.to_bytes(size, "little") for s in listed)


def decode_sets(sections: Sections, kernels: int) -> list[int]:
    """Return the sets, which are ascending, and none of them empty. Raises ValueError."""
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
