"""Check the directory to mount at, and unmount what a killed server has left there."""

from __future__ import annotations

import os

from kheadersfs.errors import MountpointError, quoted, reason
from kheadersfs.mount.asking import is_dead
from kheadersfs.mount.table import FILE_SYSTEM, find_mount, real_path


def remove_dead_mount(path: str) -> str:
    """Unmount the file system at *path* if its server was killed. Returns the real path of *path*.

    Raises MountpointError if that file system is not of kheadersfs, or if a server does not answer.
    """
    mountpoint = real_path(path)
    # is_dead() starts a thread, for which the allocator makes an arena. The server, a fork of this
    # process, would keep that. So it is called only if there is a mount to ask.
    if find_mount(mountpoint) is not None and is_dead(mountpoint):
        from kheadersfs.mount import stale  # 8 ms, which only mounts whose server was killed pay

        stale.remove(mountpoint)
    return mountpoint


def prepare_mountpoint(path: str, nonempty: bool) -> str:
    """Return the real path of the directory *path* after checking that it can be mounted at.

    First unmounts a file system there whose server was killed. With *nonempty* the directory may
    have something in it, which the mount hides. Raises MountpointError.
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
        raise MountpointError(
            f"{path}: cannot be mounted at: {reason(error)}; name a directory of yours"
        ) from error
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
