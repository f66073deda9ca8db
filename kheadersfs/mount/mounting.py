"""Mount and unmount: root by the system call, everybody else by way of fusermount3."""

from __future__ import annotations

import os

from kheadersfs.mount import direct

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
