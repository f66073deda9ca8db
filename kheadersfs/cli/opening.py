"""Open what commands are given for an archive, packages included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.cli.words import first_of
from kheadersfs.errors import ArchiveUnavailable
from kheadersfs.limits import DEFAULT_BUDGET
from kheadersfs.packages.recognition import may_be_packages
from kheadersfs.reader import HeaderArchive, open_archive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.cli.progress import Progress
    from kheadersfs.limits import Limits


def open_given(
    path: str, limits: Limits, further: Sequence[str] = (), budget: int = DEFAULT_BUDGET
) -> HeaderArchive:
    """Open the archive at *path*, or that of the packages there and at *further* paths.

    *budget* is how many bytes of decoded content to hold. Raises what reader.open_archive() and
    packages.archive_of() raise.
    """
    if not further and not may_be_packages(path):
        return open_archive(path, budget, limits)
    # It takes 60 ms, which only packages pay.
    from kheadersfs.cli.packages import archive_of

    return open_packed(archive_of([path, *further], limits), path, limits, budget)


def open_packed(archive: str, path: str, limits: Limits, budget: int) -> HeaderArchive:
    """Open the *archive* in the cache that was made of the packages at *path*, which it is called.

    Raises what reader.open_archive() raises.
    """
    opened = open_archive(archive, budget, limits)
    opened.archive.source.name = path
    return opened


def open_followed(
    path: str,
    limits: Limits,
    further: Sequence[str],
    progress: Progress,
    budget: int = DEFAULT_BUDGET,
) -> HeaderArchive:
    """Like open_given(), for an archive of which *progress* is to show how it is fetched and read.

    Packages are packed, if need be, into what takes no time to read.
    """
    if further or not progress.is_shown or may_be_packages(path):
        return open_given(path, limits, further, budget)
    from kheadersfs.archive.followed import FollowedSource
    from kheadersfs.archive.opening import archive_in, open_place

    source = FollowedSource(open_place(path), progress.read, progress.fetched)
    return HeaderArchive(archive_in(source, limits), budget)


def open_kernel(
    path: str, limits: Limits, further: Sequence[str], release: str | None, progress: Progress
) -> HeaderArchive:
    """Like open_followed(); of several kernels show the one alone that *release* means.

    Raises what open_given() and kernels.choose_kernel() raise.
    """
    opened = open_followed(path, limits, further, progress)
    if release is None:
        return opened
    from kheadersfs.cli.kernels import choose_kernel  # 25 ms, which only one of several pays

    try:
        number = choose_kernel(opened.archive, release, DEFAULT_BUDGET).number
    except BaseException:
        opened.close()
        raise
    return HeaderArchive(opened.archive, kernel=number)


def open_first(
    path: str,
    others: list[str],
    limits: Limits,
    further: Sequence[str],
    release: str | None,
    progress: Progress,
) -> HeaderArchive:
    """Like open_kernel(), of *path*, the first word of a command line; *others* came after it.

    Raises what open_kernel() raises.
    """
    try:
        return open_kernel(path, limits, further, release, progress)
    except ArchiveUnavailable as error:
        raise first_of(error, "ARCHIVE", others) from None
