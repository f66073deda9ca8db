"""Mount and unmount: root by the system call, everybody else by way of fusermount3."""

from __future__ import annotations

import os
import time

from kheadersfs.mount import direct
from kheadersfs.mount.request import InUse

_PAUSES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts to unmount while a guardian lists directories, for which it needs 30
ms."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.mount.request import MountRequest


def mount(request: MountRequest) -> int:
    """Mount, and return the open /dev/fuse over which the kernel will send its requests.

    Raises FuseUnavailable, MountpointError.
    """
    if os.geteuid() == 0:
        return direct.mount(request)
    from kheadersfs.mount import fusermount  # 13 ms, which root does not pay

    return fusermount.mount(request)


def unmount(mountpoint: str, detach: bool) -> None:
    """Unmount *mountpoint*; with *detach* it goes away at once and open files stay readable.

    Raises MountpointError.
    """
    if os.geteuid() == 0:
        direct.unmount(mountpoint, detach)
        return
    from kheadersfs.mount import fusermount  # 13 ms, which root does not pay

    fusermount.unmount(mountpoint, detach)


def unmount_unless_in_use(mountpoint: str) -> None:
    """Unmount *mountpoint* if nobody uses it but a guardian, which lists it for a moment.

    Raises InUse, MountpointError.
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
