"""How much of what is packed into the cache may stay there: what was used last, up to a size.

An archive counts if it has a record, see cache.py, so that it can be packed again. The time of the
record is that of its last use. Who has an archive open keeps it, whatever becomes of its name.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.kernel.cache import LOCK_SUFFIX, PARTIAL_SUFFIX, RECORD_SUFFIX, lock_of
from kheadersfs.locking import exclusive

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_BEING_OPENED = 60 * 10**9
"""Nanoseconds in which who was given an archive's path has opened it."""


class KeptArchive(NamedTuple):
    """Time of last use in nanoseconds since 1970, size in bytes, and path."""

    used: int
    size: int
    path: str


def kept_archives(directory: str) -> list[KeptArchive]:
    """Return what is kept in *directory*, what was not used for longest first."""
    return sorted(_recorded(directory))


def shrink(directory: str, limit: int, used: Collection[str]) -> None:
    """Remove archives from *directory* until they take *limit* bytes, but none that is in use.

    Those are the paths *used*, and what another process has just been given.
    """
    now = time.time_ns()
    for path in used:
        with suppress(OSError):
            os.utime(path + RECORD_SUFFIX)
    kept = kept_archives(directory)
    total = sum(archive.size for archive in kept)
    for archive in kept:
        if total <= limit:
            break
        if archive.path not in used and archive.used < now - _BEING_OPENED and _remove(archive):
            total -= archive.size


def clear(directory: str) -> None:
    """Remove all that is kept in *directory*; a process that packs or opens one packs it again.

    What processes that were killed have left goes too, and *directory* if it is empty then.
    """
    for archive in kept_archives(directory):
        _remove(archive)
    with suppress(OSError):
        for name in os.listdir(directory):
            _remove_remains(directory, name)
        os.rmdir(directory)


def _remove_remains(directory: str, name: str) -> None:
    """Remove the file *name* if it is a lock, or was to become an archive, and nobody needs it."""
    path = os.path.join(directory, name)
    archive_name, partial, _ = name.removeprefix(".").partition(PARTIAL_SUFFIX)
    if partial:
        with (
            suppress(OSError),
            exclusive(lock_of(os.path.join(directory, archive_name)), wait=False),
        ):
            os.unlink(path)
    elif name.endswith(LOCK_SUFFIX):
        with suppress(OSError), exclusive(path, wait=False):
            pass  # whoever holds it removes it


def _recorded(directory: str) -> Iterator[KeptArchive]:
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(RECORD_SUFFIX):
                path = entry.path.removesuffix(RECORD_SUFFIX)
                with suppress(OSError):
                    used = entry.stat(follow_symlinks=False).st_mtime_ns
                    yield KeptArchive(used, _size_of(path), path)


def _size_of(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0  # a process was killed while it removed both


def _remove(archive: KeptArchive) -> bool:
    """Remove *archive* unless somebody has used it since, or does. Returns whether it has gone."""
    record = archive.path + RECORD_SUFFIX
    with suppress(OSError), exclusive(lock_of(archive.path), wait=False):
        if os.stat(record, follow_symlinks=False).st_mtime_ns == archive.used:
            with suppress(FileNotFoundError):
                os.unlink(archive.path)
            os.unlink(record)
            return True
    return False
