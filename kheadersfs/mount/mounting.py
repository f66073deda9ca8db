"""Mount and unmount: root by system calls, other users by fusermount3."""

from __future__ import annotations

import os
import time

from kheadersfs.mount import direct
from kheadersfs.mount.request import InUse

_PAUSES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts to unmount while a guardian lists directories, which takes it 30 ms."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.mount.request import MountRequest


def mount(request: MountRequest) -> int:
    """Mount what *request* says. Returns a descriptor of /dev/fuse with the kernel's requests.

    Raises FuseUnavailable, or MountpointError if the mountpoint is the cause.
    """
    if os.geteuid() == 0:
        return direct.mount(request)
    from kheadersfs.mount import fusermount  # 13 ms, which root does not pay

    return fusermount.mount(request)


def unmount(mountpoint: str, detach: bool) -> None:
    """Unmount *mountpoint*. With *detach* do so at once, and open files stay readable.

    Raises InUse if it is in use and not detached, MountpointError, and FuseUnavailable.
    """
    if os.geteuid() == 0:
        direct.unmount(mountpoint, detach)
        return
    from kheadersfs.mount import fusermount  # 13 ms, which root does not pay

    fusermount.unmount(mountpoint, detach)


def unmount_unless_in_use(mountpoint: str) -> None:
    """Unmount *mountpoint*, and wait if it is in use only because its guardian lists it.

    Raises InUse if it is in use otherwise, MountpointError, and FuseUnavailable.
    """
    for pause in _PAUSES:
        try:
            return unmount(mountpoint, detach=False)
        except InUse:
            from kheadersfs.mount.holders import may_be_listed  # 6 ms, which only mounts in use pay

            if not may_be_listed(mountpoint):
                raise
        time.sleep(pause)
    return unmount(mountpoint, detach=False)
