"""Prepare the default mountpoint for a mount, and restore it afterwards.

This is apart from ``mountpoint``, because all mounts import that and few need this.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from kheadersfs.errors import MountpointError, reason
from kheadersfs.locking import exclusive
from kheadersfs.mount.mountpoint import RECORD, directories_created, has_headers

_LOCK = "/run/kheadersfs.lock"
"""The file that is locked while a mountpoint is prepared and mounted at. That may take long,
because a tree may have to be packed first."""


def prepare(mountpoint: str) -> None:
    """Make sure that *mountpoint* is a directory with nothing in it but a record.

    Creates it and its parents if they do not exist, and the record with them. Raises
    MountpointError if *mountpoint* is something else or cannot be created.
    """
    try:
        names = os.listdir(mountpoint)
    except FileNotFoundError:
        _create(mountpoint)
        return
    except NotADirectoryError:
        raise MountpointError(f"{mountpoint} is not a directory: name another one") from None
    except OSError as error:
        raise MountpointError(f"cannot look into {mountpoint}: {reason(error)}") from error
    if set(names) - {RECORD}:
        raise MountpointError(
            f"{mountpoint} is neither empty nor a complete header tree: "
            "move it away, or name another directory"
        )


@contextlib.contextmanager
def prepared(mountpoint: str) -> Iterator[bool]:
    """Prepare *mountpoint* for a mount that the block makes. An exception in the block undoes it.

    One process at a time is in such a block. Yields True if there is something to mount. Yields
    False and changes nothing if there are headers already, perhaps because another process has
    mounted some meanwhile. Raises MountpointError.
    """
    with _alone():
        if has_headers(mountpoint):
            yield False
            return
        prepare(mountpoint)
        try:
            yield True
        except BaseException:
            _restore(mountpoint)
            raise


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock, so that no other command prepares or restores a mountpoint meanwhile.

    Only root takes it, because only root can mount at the default mountpoint. Raises
    MountpointError.
    """
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:
            try:
                stack.enter_context(exclusive(_LOCK))
            except OSError as error:
                raise MountpointError(
                    f"cannot create {_LOCK}: {reason(error)}; name a MOUNTPOINT, "
                    "or use kheadersfs run"
                ) from error
        yield


def restore(mountpoint: str) -> list[str]:
    """Remove the directories that prepare() has created for *mountpoint*. Returns their paths.

    It is called after an unmount. The record says how many directories there are; without one,
    nothing is removed. A directory that is not empty by now stays. The guardian may be removing the
    same directories meanwhile. Raises MountpointError if the file system refuses.
    """
    if not directories_created(mountpoint):
        return []
    with _alone():
        return _restore(mountpoint)


def _restore(mountpoint: str) -> list[str]:
    """Do what restore() says, with the lock held."""
    count = directories_created(mountpoint)
    removed: list[str] = []
    directory = os.path.abspath(mountpoint)
    try:
        if count:
            os.unlink(os.path.join(mountpoint, RECORD))
        for _ in range(count):
            os.rmdir(directory)
            removed.append(directory)
            directory = os.path.dirname(directory)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOENT):
            raise MountpointError(f"cannot remove {directory}: {reason(error)}") from error
    return removed


def _create(mountpoint: str) -> None:
    """Create *mountpoint*, its parents and the record. Raises MountpointError."""
    if os.path.islink(mountpoint):
        target = os.path.join(os.path.dirname(mountpoint), os.readlink(mountpoint))
        raise MountpointError(
            f"{mountpoint} is a symbolic link to {target}, which does not exist: "
            f"run mkdir -p {target} to have the headers mounted there, or remove the link"
        )
    created: list[str] = []
    try:
        for directory in reversed(_absent(os.path.abspath(mountpoint))):
            os.mkdir(directory)
            created.append(directory)
            os.chmod(directory, 0o755)  # all users are to come to the headers, whatever the umask
        with open(os.path.join(mountpoint, RECORD), "x", encoding="ascii") as stream:
            stream.write(f"{len(created)}\n")
    except OSError as error:
        for directory in reversed(created):
            with contextlib.suppress(OSError):  # somebody else has put something into it
                os.rmdir(directory)
        raise MountpointError(
            f"cannot create {mountpoint}: {reason(error)}; "
            "name a MOUNTPOINT that you can write to, or use kheadersfs run"
        ) from error


def _absent(directory: str) -> list[str]:
    """Return those of *directory* and its parents that do not exist, the deepest first."""
    absent = []
    while not os.path.lexists(directory):
        absent.append(directory)
        directory = os.path.dirname(directory)
    return absent
