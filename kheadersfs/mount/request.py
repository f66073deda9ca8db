"""What to mount where, and what mount(2) and fusermount3 have in common."""

from __future__ import annotations

from kheadersfs.errors import MountpointError
from kheadersfs.records import Record

DEVICE = "/dev/fuse"


class MountRequest(Record):
    """What to mount where. ``source`` is only shown; ``allow_other`` lets other users in."""

    source: str
    mountpoint: str
    allow_other: bool


def access(request: MountRequest) -> str:
    """Return the options that decide who may read what.

    Only who mounted may look in, and may read all of it, as if he had extracted it. When others
    are let in, the kernel holds them to the mode bits. It would do so for him too, and answer
    access(2) itself, but it would also ask for the root's attributes whenever somebody wants to
    know the status, and the archive would be read for that.
    """
    return ",allow_other,default_permissions" if request.allow_other else ""


class InUse(MountpointError):
    """Somebody is in what is mounted there, or has something of it open."""


def in_use(mountpoint: str) -> InUse:
    """Return what to raise when *mountpoint* cannot be unmounted because somebody is there."""
    from kheadersfs.mount.holders import describe_users  # 6 ms, which only mounts in use pay

    users = describe_users(mountpoint)
    return InUse(
        f"{mountpoint}: is in use{users and f' by {users}'}; end what uses it, or use --lazy"
    )
