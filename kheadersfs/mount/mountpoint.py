"""The default mountpoint, which is where bcc and bpftrace look for headers.

A file in the mountpoint itself, the record, says how many directories were created for the mount.
The mount hides the record. It is visible again as soon as the mount is gone, also after the server
was killed and after a reboot.
"""

from __future__ import annotations

import os

from kheadersfs.errors import UsageError, reason

RECORD = ".kheadersfs-created"
"""Name of the record: a text file with a decimal number."""

_ALWAYS_THERE = "include/linux/kconfig.h"
"""A header that all kernels have."""

_DEEPEST = 64
"""Most directories that a record can name. No mountpoint is so deep."""


def default_mountpoint(release: str, root: str = "/") -> str:
    """Return where bcc and bpftrace look for the headers of the kernel *release*."""
    return os.path.join(root, "lib/modules", release, "build")


def has_headers(directory: str) -> bool:
    """Tell whether *directory* is a complete header tree, by the same test as bcc's."""
    return os.path.isfile(os.path.join(directory, _ALWAYS_THERE))


def require_headers(directory: str) -> None:
    """Raise UsageError unless *directory* is a header tree that the caller may read."""
    path = os.path.join(directory, _ALWAYS_THERE)
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(directory):
            raise UsageError(
                f"{directory}: no such directory; "
                "name one with merged kernel headers, such as a mountpoint"
            ) from None
        raise UsageError(
            f"{directory} has no {_ALWAYS_THERE}: "
            "name a directory with merged kernel headers, such as a mountpoint"
        ) from None
    except PermissionError:
        raise UsageError(
            f"{directory} may not be read by this user: "
            "whoever mounted it has to say -o allow_other, or this user has to mount it"
        ) from None
    except OSError as error:
        raise UsageError(f"{directory} cannot be read: {reason(error)}") from error


def directories_created(mountpoint: str) -> int:
    """Return how many directories the record in *mountpoint* names; 0 if there is none.

    Only a record of this user or of root counts. The directory may belong to another user, who must
    not decide which directories above it are removed.
    """
    record = os.path.join(mountpoint, RECORD)
    try:
        fd = os.open(record, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        if os.fstat(fd).st_uid not in (0, os.geteuid()):
            return 0
        text = os.read(fd, 16).strip()
    finally:
        os.close(fd)
    return min(int(text), _DEEPEST) if text.isdigit() else 0
