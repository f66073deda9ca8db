"""Find out which kernels an archive has and which of them is meant, in a process without rights."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.readers import prepare_to_serve
from kheadersfs.errors import NotInArchive, UsageError
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
_SEPARATOR = "\t"


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
        lines = (
            _SEPARATOR.join(("" if known.number is None else str(known.number), *known[1:]))
            for known in kernels_of(readers[0].load())
        )
        return "\n".join(lines).encode(errors="surrogateescape")

    answer = Confined(archive.source.name, prepare, ask, budget).result()
    found: list[Known] = []
    for line in answer.decode(errors="surrogateescape").split("\n"):
        number, name, release, arch = line.split(_SEPARATOR)
        found.append(Known(int(number) if number else None, name, release, arch))
    return found


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
