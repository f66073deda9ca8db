"""A lock that leaves no file behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def exclusive(path: str, wait: bool = True) -> Iterator[None]:
    """Hold a lock on the file *path*, which exists only while somebody holds it or waits.

    Whoever is done removes the file; a waiter that then gets the lock of a removed
    file starts again with the new one. Raises OSError if the file cannot be made; unless this is
    to *wait*, BlockingIOError if somebody holds the lock.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_file(path, fd):
                try:
                    yield
                finally:
                    os.unlink(path)
                return
        finally:
            os.close(fd)


def _is_file(path: str, fd: int) -> bool:
    """Return whether *path* still names the file that *fd* has open."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False
