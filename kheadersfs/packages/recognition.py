"""Tells packages, and directories that may have some, from archives."""

from __future__ import annotations

import os
import stat

from kheadersfs.archive.sniffing import DEB_MAGIC, RPM_MAGIC

LONGEST_MAGIC = len(DEB_MAGIC)
"""Bytes at the start of a file that tell whether it is a package."""
SUFFIXES = (".deb", ".rpm")
"""What the names of the packages in a directory end with."""


def may_be_packages(path: str) -> bool:
    """Tell whether *path* is a directory, or a file that begins like a package.

    Returns False for what cannot be opened or read.
    """
    try:
        # Without O_NONBLOCK, opening a fifo would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return False
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            return stat.S_ISDIR(mode)
        return os.pread(descriptor, LONGEST_MAGIC, 0).startswith((DEB_MAGIC, RPM_MAGIC))
    except OSError:
        return False
    finally:
        os.close(descriptor)
