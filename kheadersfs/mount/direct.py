"""Mount and unmount as root, by mount(2) and umount2(2)."""

from __future__ import annotations

import errno
import os

from kheadersfs.errors import FuseUnavailable, MountpointError, reason
from kheadersfs.mount.libc import UnsignedLong, call
from kheadersfs.mount.request import (
    DEVICE,
    HOW_TO_BE_PERMITTED,
    MountRequest,
    access,
    in_use,
    not_mounted_any_more,
)
from kheadersfs.mount.table import FILE_SYSTEM

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MNT_DETACH = 2


class MountNotPermitted(FuseUnavailable):
    """mount(2) has failed with EPERM."""


def open_device() -> int:
    """Open /dev/fuse. Raises FuseUnavailable."""
    try:
        return os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FuseUnavailable(
            f"{DEVICE} does not exist: load the module with modprobe fuse; "
            "a container must be given the device"
        ) from None
    except OSError as error:
        raise FuseUnavailable(
            f"{DEVICE}: cannot be opened: {reason(error)}; its mode should be 0666"
        ) from error


def mount(request: MountRequest) -> int:
    """Do what mounting.mount() says. Needs CAP_SYS_ADMIN, and raises MountNotPermitted without."""
    device = open_device()
    options = (
        f"fd={device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}"
        f"{access(request)}"
    )
    flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | (_MS_NOEXEC if request.noexec else 0)
    number = call(
        "mount",
        os.fsencode(request.source),
        os.fsencode(request.mountpoint),
        FILE_SYSTEM.encode(),
        UnsignedLong(flags),
        options.encode(),
    )
    if number:
        os.close(device)
        raise _mount_error(request.mountpoint, number)
    return device


def _mount_error(mountpoint: str, number: int) -> FuseUnavailable | MountpointError:
    """Return what to raise when mount(2) has failed with the errno *number*."""
    text = os.strerror(number)
    if number == errno.EPERM:
        return MountNotPermitted(f"mounting is not permitted here: {text}; {HOW_TO_BE_PERMITTED}")
    if number == errno.ENODEV:
        return FuseUnavailable("the kernel has no FUSE; load it with modprobe fuse")
    return MountpointError(f"{mountpoint}: cannot be mounted at: {text}")


def unmount(mountpoint: str, detach: bool) -> None:
    """Do what mounting.unmount() says. Needs CAP_SYS_ADMIN."""
    number = call("umount2", os.fsencode(mountpoint), _MNT_DETACH if detach else 0)
    if number == errno.EBUSY:
        raise in_use(mountpoint)
    if number == errno.EINVAL:
        raise not_mounted_any_more(mountpoint)
    if number:
        raise MountpointError(f"{mountpoint}: cannot be unmounted: {os.strerror(number)}")
