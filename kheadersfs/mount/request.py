"""The request to mount, and what mounting by mount(2) and by fusermount3 have in common."""

from __future__ import annotations

from kheadersfs.errors import MountpointError
from kheadersfs.records import Record

DEVICE = "/dev/fuse"
HOW_TO_BE_PERMITTED = (
    "a container needs --cap-add SYS_ADMIN, or for kheadersfs run leave to make user namespaces"
)
"""What to do where mount(2) fails with EPERM, which nearly always is a container."""


class MountRequest(Record):
    """What to mount where.

    ``source`` is what the table of mounts shows. ``allow_other`` lets other users in, ``noexec``
    lets nobody start a program that is in it.
    """

    source: str
    mountpoint: str
    allow_other: bool
    noexec: bool = False


def access(request: MountRequest) -> str:
    """Return the mount options that decide who may read what, with a comma before each.

    Without ``allow_other`` the kernel admits only the user who mounts, who may read everything.
    With it the kernel checks the mode bits for all users (default_permissions). That option is not
    given in the first case: with it the kernel asks for the root's attributes before it asks for
    the status of the mount, and the server would have to read the archive for these.
    """
    return ",allow_other,default_permissions" if request.allow_other else ""


class InUse(MountpointError):
    """The mount cannot be removed, because something uses it."""


def not_mounted_any_more(mountpoint: str) -> MountpointError:
    """Return what to raise when somebody else has unmounted *mountpoint* in the meantime."""
    return MountpointError(f"{mountpoint}: nothing is mounted there any more")


def in_use(mountpoint: str) -> InUse:
    """Return what to raise when *mountpoint* is in use. The message names what uses it."""
    from kheadersfs.mount.holders import describe_users  # 6 ms, which only mounts in use pay

    users = describe_users(mountpoint)
    return InUse(
        f"{mountpoint}: is in use{users and f' by {users}'}; end what uses it, or use --lazy"
    )
