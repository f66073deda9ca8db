"""The place where bcc and bpftrace look for headers.

What has to be created for a mount is written down in a file inside the mountpoint
itself. The mount hides it, so nobody sees it; it needs no state elsewhere, survives a
killed server and a reboot, and is there again the moment that the mount is gone.
"""

from __future__ import annotations

import os

from kheadersfs.errors import UsageError, reason

RECORD = ".kheadersfs-created"

_ALWAYS_THERE = "include/linux/kconfig.h"

# Far more than a mountpoint can be deep; a record that says more is not ours.
_DEEPEST = 64


def default_mountpoint(release: str, root: str = "/") -> str:
    """Return where bcc and bpftrace look for the headers of the kernel *release*."""
    return os.path.join(root, "lib/modules", release, "build")


def has_headers(directory: str) -> bool:
    """Return whether *directory* already is a complete header tree, by the test that bcc uses."""
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
    """Return how many directories were created for *mountpoint*; 0 without a believable record.

    Only a file of this user or of root counts: anybody may own a directory that we are
    asked to unmount, and must not choose what we remove above it.
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
