"""Look at the directory to mount at, and take away a mount there whose server was killed."""

from __future__ import annotations

import os

from kheadersfs.errors import MountpointError, quoted, reason
from kheadersfs.mount.asking import is_dead
from kheadersfs.mount.table import FILE_SYSTEM, find_mount, real_path


def remove_dead_mount(path: str) -> str:
    """Unmount a file system of ours at *path* whose server was killed. Returns the real path.

    Raises MountpointError for a dead mount that is not ours.
    """
    mountpoint = real_path(path)
    # Without a mount there is nobody to ask. To ask takes a thread, for which the allocator makes
    # an arena that the server, a fork of this process, would keep.
    if find_mount(mountpoint) is not None and is_dead(mountpoint):
        from kheadersfs.mount import stale  # 8 ms, which only mounts whose server was killed pay

        stale.remove(mountpoint)
    return mountpoint


def prepare_mountpoint(path: str, nonempty: bool) -> str:
    """Return the real path of the directory *path* when something can be mounted there.

    A mount of ours whose server was killed is removed on the way. Raises MountpointError.
    """
    mountpoint = remove_dead_mount(path)
    try:
        entries = os.scandir(mountpoint)
    except FileNotFoundError:
        raise MountpointError(
            f"{path}: no such directory; make it: mkdir -p {quoted(path)}"
        ) from None
    except NotADirectoryError:
        raise MountpointError(f"{path}: is not a directory; name one to mount at") from None
    except OSError as error:
        raise MountpointError(f"{path}: cannot be mounted at: {reason(error)}") from error
    with entries:
        if find_mount(mountpoint) == FILE_SYSTEM:
            raise MountpointError(
                f"{path}: has headers mounted already; "
                f"unmount them first: kheadersfs umount {quoted(path)}"
            )
        if not nonempty and next(entries, None) is not None:
            raise MountpointError(
                f"{path}: is not empty; name an empty directory, or hide what is in it "
                "with -o nonempty"
            )
    return mountpoint
