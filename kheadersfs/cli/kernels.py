"""Find out which kernels an archive has and which of them is meant, in a process without rights."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.readers import prepare_to_serve
from kheadersfs.errors import DamagedArchive, NotInArchive, UsageError
from kheadersfs.fuse.identity import kernel_of
from kheadersfs.sandbox.confined import Confined
from kheadersfs.tree import tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.content import Content
    from kheadersfs.archive.opening import Archive
    from kheadersfs.archive.readers import Reader

RUNNING = "auto"
"""The release that stands for the running kernel's."""
_SHOWN = 20
_UNKNOWN = "one that does not say its release"
_HOW_TO_HAVE_IT = (
    "leave out --release to have it; in what was merged by kheadersfs 0.1.0, with hard links or as "
    "cpio, kernels are only directories: name one, or merge again, as tar without hard links"
)
_SEPARATOR = "\0"
"""What no name has in it."""


class Known(NamedTuple):
    """A kernel of an archive. ``number`` is None where it is the only one, and has no name."""

    number: int | None
    name: str
    release: str
    arch: str


def kernels_of(content: Content) -> list[Known]:
    """Return the kernels of an archive, sorted by name."""
    if not content.kernels:
        only = kernel_of(content, tree_of(content.table))
        return [Known(None, "", only.release, only.arch)]
    return [
        Known(number, os.fsdecode(kernel.name), kernel.release, kernel.arch)
        for number, kernel in enumerate(content.kernels)
    ]


def ask_kernels(archive: Archive, budget: int) -> list[Known]:
    """Return the kernels of *archive*; *budget* is how many bytes may be held to find out.

    Raises what reading an archive raises.
    """
    readers: list[Reader] = []

    def prepare() -> None:
        from kheadersfs import store  # noqa: F401 - for headers that say which kernel they are of

        readers.append(prepare_to_serve(archive))

    def ask() -> bytes:
        return encode(kernels_of(readers[0].load()))

    name = archive.source.name
    return decode(Confined(name, prepare, ask, budget).result(), name)


def encode(kernels: Sequence[Known]) -> bytes:
    """Return *kernels*, whose names may have anything in them but a zero, for decode()."""
    fields = (
        field
        for kernel in kernels
        for field in ("" if kernel.number is None else str(kernel.number), *kernel[1:])
    )
    return _SEPARATOR.join(fields).encode(errors="surrogateescape")


def decode(answer: bytes, archive: str) -> list[Known]:
    """Return the kernels in *answer*, which may be forged.

    Raises DamagedArchive for the file *archive* when *answer* is not what encode() makes.
    """
    fields = answer.decode(errors="surrogateescape").split(_SEPARATOR)
    columns = (fields[column :: len(Known._fields)] for column in range(len(Known._fields)))
    try:
        return [
            Known(int(number) if number else None, name, release, arch)
            for number, name, release, arch in zip(*columns, strict=True)
        ]
    except ValueError:
        raise DamagedArchive(
            f"{archive}: what it says of its kernels makes no sense; make or fetch it again"
        ) from None


def choose_kernel(archive: Archive, release: str, budget: int) -> Known:
    """Return the kernel of *archive* that *release* means: a name, else a release, or RUNNING.

    Raises NotInArchive, which lists what there is, and UsageError when several are meant.
    """
    return choose(archive.source.name, ask_kernels(archive, budget), release)


def choose(where: str, known: Sequence[Known], release: str) -> Known:
    """Return the one of the kernels *known*, which are in *where*, that *release* means.

    Raises what choose_kernel() raises.
    """
    wanted = os.uname().release if release == RUNNING else release
    named = [kernel for kernel in known if kernel.number is not None and kernel.name == wanted]
    found = named or [kernel for kernel in known if kernel.release == wanted]
    if len(found) > 1:
        raise UsageError(
            f"{where}: several kernels are of release {wanted}; name one of {_listed(found)}"
        )
    if not found:
        raise NotInArchive(f"{where}: has no kernel {wanted}; {what_there_is(known)}")
    return found[0]


def what_there_is(kernels: Sequence[Known]) -> str:
    """Return what a message says when none of *kernels* is meant: which they are, what to do."""
    if not kernels:
        return "there is none"
    silent = not all(kernel.name or kernel.release for kernel in kernels)
    return f"there is {_listed(kernels)}" + (f"; {_HOW_TO_HAVE_IT}" if silent else "")


def _listed(kernels: Sequence[Known]) -> str:
    """Return the names of *kernels*, and releases of what has none."""
    names = [kernel.name or kernel.release or _UNKNOWN for kernel in kernels]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
