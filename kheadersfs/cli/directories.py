"""Which directory ``env`` and ``cflags`` mean: one with headers, or where an archive is mounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kheadersfs.archive.opening import is_address
from kheadersfs.cli.kernels import RUNNING, Known, choose
from kheadersfs.errors import MountpointError, NotInArchive, UsageError
from kheadersfs.kernel.release import (
    CONFIGURATION_HEADER,
    LARGEST_DESCRIPTION,
    RELEASE_HEADER,
    Kernel,
    headers_arch,
    headers_release,
)
from kheadersfs.mount.mountpoint import has_headers
from kheadersfs.mount.table import list_mounts_of
from kheadersfs.packages.recognition import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def directory_of(place: str, further: Sequence[str], release: str | None) -> str:
    """Return the directory with the headers that *place* means.

    That is *place* itself; or, if it is an archive, or with *further* ones packages of a kernel,
    where these are mounted. Of several kernels there it is the one that *release* means. Raises
    MountpointError for what is mounted nowhere, NotInArchive, UsageError.
    """
    if not place:
        raise UsageError("DIR is empty; name one with merged kernel headers, such as a mountpoint")
    places = [place]
    if further or not has_headers(place):
        mounted = list_mounts_of({_source_of(path) for path in (place, *further)})
        if not mounted and (further or _can_be_mounted(place)):
            raise MountpointError(
                f"{', '.join((place, *further))}: is mounted nowhere, and compilers read files; "
                "mount it first, or use kheadersfs run"
            )
        places = mounted or places
    return places[0] if release is None else _kernel_in(places, release)


def _source_of(path: str) -> str:
    """Return what the table of mounts has for the archive at *path*."""
    if not is_address(path):
        return os.path.abspath(path)
    from kheadersfs.remote.address import shown  # 20 ms, which only addresses pay

    return shown(path)


def _can_be_mounted(place: str) -> bool:
    """Tell whether *place* is an archive, a package, or a directory of packages."""
    if not os.path.isdir(place):
        return is_address(place) or os.path.isfile(place)
    return any(name.endswith(SUFFIXES) for name in os.listdir(place))


def _kernel_in(places: list[str], release: str) -> str:
    """Return the directory of the kernel that *release* means, which is in one of *places*."""
    wanted = os.uname().release if release == RUNNING else release
    failures: list[NotInArchive] = []
    for place in places:
        # Of hundreds of kernels the others need not be read, when it is one's name.
        if "/" not in wanted and has_headers(named := os.path.join(place, wanted)):
            return named
        try:
            return os.path.join(place, choose(place, list(_kernels_in(place)), wanted).name)
        except NotInArchive as failure:
            failures.append(failure)
    raise failures[0]


def _kernels_in(place: str) -> Iterator[Known]:
    """Yield the kernels with headers in the directory *place*, or the one that it is itself."""
    if has_headers(place):
        yield Known(None, "", _release_in(place), "")
        return
    for number, name in enumerate(sorted(os.listdir(place))):
        directory = os.path.join(place, name)
        if has_headers(directory):
            yield Known(number, name, _release_in(directory), "")


def kernel_in(directory: str) -> Kernel:
    """Return the kernel of the headers in *directory*. A field that they do not say is empty."""
    arch = headers_arch(_read(os.path.join(directory, CONFIGURATION_HEADER)))
    return Kernel(_release_in(directory), arch or "")


def _release_in(directory: str) -> str:
    return headers_release(_read(os.path.join(directory, RELEASE_HEADER))) or ""


def _read(path: str) -> bytes:
    """Return the beginning of the file at *path*, nothing if it cannot be read."""
    try:
        with open(path, "rb") as header:
            return header.read(LARGEST_DESCRIPTION)
    except OSError:
        return b""
