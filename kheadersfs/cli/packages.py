"""How commands take packages for archives: packed into the cache first, or to where they say.

A package may come from anywhere, so what is in it is read in children without rights. What this
process looks at itself is where the parts of a package begin.
"""

from __future__ import annotations

import glob
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.cli.keeping import KernelPackages, archives_in
from kheadersfs.cli.progress import progress_line
from kheadersfs.cli.writing import write_in_child
from kheadersfs.errors import ArchiveUnavailable, UsageError
from kheadersfs.kernel.cache import default_cache_directory
from kheadersfs.limits import DEFAULT_BUDGET
from kheadersfs.packages import facts as described
from kheadersfs.packages.kernels import kernels_of, satisfies
from kheadersfs.packages.package import Package, open_package
from kheadersfs.packages.recognition import SUFFIXES
from kheadersfs.sandbox.confined import Confined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kheadersfs.limits import Limits
    from kheadersfs.pack.packing import Settings
    from kheadersfs.packages.facts import Facts, Need


class _Opened(NamedTuple):
    """Packages, and what each says of itself."""

    packages: list[Package]
    facts: list[Facts]


def archives_of(paths: list[str], limits: Limits) -> list[str]:
    """Return an archive in the cache for every kernel that the packages *paths* are of.

    Each of *paths* is a package, or a directory of some; what belongs to a package that is named
    may lie beside it. Raises what reading an archive raises, UsageError for halves of kernels, and
    ArchiveUnavailable when the cache cannot be used.
    """
    with ExitStack() as stack:
        opened = _open(stack, paths, limits)
        cache = default_cache_directory(os.environ)
        return list(archives_in(cache, _kernels_in(opened), limits))


def archive_of(paths: list[str], limits: Limits) -> str:
    """Like archives_of(), for one kernel. Raises UsageError when there are several."""
    [archive] = archive_of_each([paths], limits)
    return archive


def archive_of_each(groups: Iterable[list[str]], limits: Limits) -> Iterator[str]:
    """Yield what archive_of() returns for each of *groups*.

    One is to be opened before the next is asked for, which may be of other packages of that name.
    """
    with ExitStack() as stack:
        kernels = [_only_kernel(_open(stack, paths, limits), paths) for paths in groups]
        yield from archives_in(default_cache_directory(os.environ), kernels, limits)


def require_no_pins(path: str, *pins: str | None) -> None:
    """Raise UsageError if there are *pins*, which say which archive is meant, for a package."""
    if any(pin is not None for pin in pins):
        raise UsageError(
            f"{path}: a digest or a key is for an archive, and this is a package: kheadersfs pack "
            "makes an archive of it"
        )


def pack_to(
    paths: list[str],
    output: str,
    arch: str | None,
    settings: Settings,
    release: str | None = None,
) -> None:
    """Write the headers of the one kernel that the packages *paths* are of to *output*.

    Unless it is None, *release* is what they have to be of. Raises what archive_of() raises.
    """
    with ExitStack() as stack:
        kernel = _only_kernel(_open(stack, paths, settings.limits), paths)
        progress = stack.enter_context(progress_line("pack", "B"))
        write_in_child(
            kernel.name,
            kernel.prepare,
            output,
            lambda file: kernel.write(file, settings, progress, arch, release),
            settings.limits,
        )


def missing_of(paths: list[str], limits: Limits) -> list[Need]:
    """Return what the packages *paths* need that is neither among nor beside them."""
    with ExitStack() as stack:
        facts = _open(stack, paths, limits).facts
        return [need for kernel in kernels_of(facts) for need in kernel.missing]


def _open(stack: ExitStack, paths: list[str], limits: Limits) -> _Opened:
    """Open the packages, and those beside them that they need; *stack* closes them."""
    opened = _Opened([], [])
    _add(opened, stack, [name for path in paths for name in _named(path)], limits)
    tried = {os.path.realpath(package.name) for package in opened.packages}
    while True:
        found = [
            path
            for kernel in kernels_of(opened.facts)
            for need in kernel.missing
            for path in _beside(opened.packages[kernel.packages[0]].name, need)
            if os.path.realpath(path) not in tried
        ]
        if not found:
            return opened
        tried.update(map(os.path.realpath, found))
        wanted = [need for kernel in kernels_of(opened.facts) for need in kernel.missing]
        _add(opened, stack, found, limits, wanted)


def _add(
    opened: _Opened,
    stack: ExitStack,
    paths: list[str],
    limits: Limits,
    wanted: list[Need] | None = None,
) -> None:
    """Open the packages at *paths*, and keep them, or with *wanted* the first one for each."""
    packages: list[Package] = []
    for path in dict.fromkeys(paths):
        packages.append(open_package(path, limits))
        stack.callback(packages[-1].close)
    facts = _ask(packages)
    if wanted is not None:
        kept = {
            next((n for n, found in enumerate(facts) if satisfies(found, need)), -1)
            for need in wanted
        }
    for number, (package, found) in enumerate(zip(packages, facts, strict=True)):
        if wanted is None or number in kept:
            opened.packages.append(package)
            opened.facts.append(found)


def _ask(packages: list[Package]) -> list[Facts]:
    """Return what *packages* say of themselves."""

    def prepare() -> None:
        for package in packages:
            package.prepare()

    def ask() -> bytes:
        return described.encode([package.facts() for package in packages])

    name = packages[0].name
    found = described.decode(Confined(name, prepare, ask, DEFAULT_BUDGET).result(), name)
    if len(found) != len(packages):
        raise described.forged(name)
    return found


def _named(path: str) -> Iterator[str]:
    """Yield *path*, or the packages of headers in it if it is a directory."""
    if not os.path.isdir(path):
        yield path
        return
    names = [
        name
        for name in sorted(os.listdir(path))
        if name.endswith(SUFFIXES) and described.has_headers(name.partition("_")[0])
    ]
    if not names:
        raise ArchiveUnavailable(
            f"{path}: is a directory without packages of kernel headers (linux-headers-*.deb, "
            "kernel-*devel-*.rpm); name an archive of kernel headers"
        )
    for name in names:
        yield os.path.join(path, name)


def _beside(package: str, need: Need) -> list[str]:
    """Return the files in the directory of *package* that may be what *need* asks for."""
    directory = glob.escape(os.path.dirname(package))
    name = glob.escape(need.name)
    return [
        path
        for pattern in (f"{name}_*.deb", f"{name}-[0-9]*.rpm")
        for path in sorted(glob.glob(os.path.join(directory, pattern)))
    ]


def _kernels_in(opened: _Opened) -> list[KernelPackages]:
    return [
        KernelPackages(
            kernel.label,
            [opened.packages[number] for number in kernel.packages],
            [need.name for need in kernel.missing],
        )
        for kernel in kernels_of(opened.facts)
    ]


def _only_kernel(opened: _Opened, paths: list[str]) -> KernelPackages:
    kernels = _kernels_in(opened)
    if len(kernels) > 1:
        labels = ", ".join(kernel.label for kernel in kernels)
        raise UsageError(
            f"{', '.join(paths)}: has packages of several kernels: {labels}; name one of them, "
            "or use run --each or merge"
        )
    return kernels[0]
