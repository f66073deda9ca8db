"""Pack a kernel tree's headers into an archive."""

from __future__ import annotations

import stat
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.member import Member
from kheadersfs.errors import KheadersfsError, UsageError, reason
from kheadersfs.kernel.including import inclusions
from kheadersfs.limits import DEFAULT_LIMITS, Limits
from kheadersfs.pack.layout import KernelMembers, Packed, arrange
from kheadersfs.pack.ordering import by_profile, by_reach
from kheadersfs.pack.output import complete_file
from kheadersfs.pack.selection import changed, read_header
from kheadersfs.pack.writing import Description, Form, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from kheadersfs.pack.selection import Header

DIRECTORY_MODE = stat.S_IFDIR | 0o755
FILE_MODE = stat.S_IFREG | 0o644
SYMLINK_MODE = stat.S_IFLNK | 0o777


class Settings(NamedTuple):
    """How a tree is packed.

    ``comments`` turns a header's bytes into those that are packed. ``profile`` lists paths of
    headers, the most important first; without one, reach decides. ``time`` is the modification
    time of all members, in seconds since 1970. ``threads`` is 0 for one per processor. ``limits``
    are those of who is to read it.
    """

    form: Form
    comments: Callable[[bytes], bytes]
    profile: Sequence[bytes]
    time: int
    threads: int = 0
    limits: Limits = DEFAULT_LIMITS


def pack(
    select: Callable[[], dict[bytes, Header]],
    description: Description,
    path: str,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    """Write the headers that *select* returns, those of the kernel of *description*, to *path*.

    *select* is called twice, to notice a tree that changes meanwhile. Raises KheadersfsError.
    """
    headers = select()
    texts = {
        header.path: settings.comments(read_header(header))
        for header in headers.values()
        if header.target is None
    }
    _require_same(headers, select())
    with complete_file(path) as file:
        write_headers(headers, texts, description, file, settings, progress)


def write_headers(
    headers: dict[bytes, Header],
    texts: dict[bytes, bytes],
    description: Description,
    file: BinaryIO,
    settings: Settings,
    progress: Callable[[int, int], None],
) -> None:
    """Write *headers*, with *texts* for those that are files, to *file*. Raises KheadersfsError."""
    kernel = _kernel_members(headers, texts, description.arch, settings)
    write_archive(
        file,
        arrange([kernel]),
        settings.form,
        description,
        progress,
        settings.threads,
        settings.limits,
    )


def read_profile(path: str) -> list[bytes]:
    """Return the header paths in the file at *path*, one a line. Raises KheadersfsError."""
    try:
        with open(path, "rb") as stream:
            lines = stream.read().splitlines()
    except OSError as error:
        raise KheadersfsError(f"{path}: cannot read the profile: {reason(error)}") from error
    return [line.removeprefix(b"./") for line in lines if line]


def _require_same(before: dict[bytes, Header], after: dict[bytes, Header]) -> None:
    """Raise KheadersfsError naming a header that differs between two selections."""
    for path in before.keys() | after.keys():
        if before.get(path) != after.get(path):
            raise changed((after.get(path) or before[path]).source)


def _kernel_members(
    headers: dict[bytes, Header], texts: dict[bytes, bytes], srcarch: str, settings: Settings
) -> KernelMembers:
    """Return the members: *headers*, with *texts* for those that are files, and directories."""
    time = settings.time * 1_000_000_000
    directories = {b""}
    for path in headers:
        while (path := path.rpartition(b"/")[0]) not in directories:
            directories.add(path)
    order = by_reach({path: inclusions(text) for path, text in texts.items()}, srcarch)
    hot = None
    if settings.profile:
        listed = by_profile(order, settings.profile)
        if not listed:
            raise UsageError("the profile lists no header of this tree; record one with it")
        order, hot = list(dict.fromkeys([*listed, *order])), len(listed)
    return KernelMembers(
        directories=[
            Packed(Member(path, DIRECTORY_MODE, time, 0, None, False), bytes)
            for path in sorted(directories)
        ],
        files=[
            Packed(
                Member(path, FILE_MODE, time, len(texts[path]), None, False),
                partial(bytes, texts[path]),
            )
            for path in order
        ],
        others=[
            Packed(Member(header.path, SYMLINK_MODE, time, 0, header.target, False), bytes)
            for header in headers.values()
            if header.target is not None
        ],
        links=[],
        hot=hot,
    )
