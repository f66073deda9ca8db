"""Make the default place ready for a mount, and restore it afterwards.

Few mounts need this, so it is apart from ``mountpoint``, which all import.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from kheadersfs.errors import MountpointError, reason
from kheadersfs.locking import exclusive
from kheadersfs.mount.mountpoint import RECORD, directories_created, has_headers

# The lock is held while headers are mounted, which may take long: a tree may have to be packed
# first.
_LOCK = "/run/kheadersfs.lock"


def prepare(mountpoint: str) -> None:
    """Make *mountpoint* a directory to mount on, creating it and its parents if absent.

    It is then empty but for the record of what was created, which the mount has to hide.
    Raises MountpointError if *mountpoint* is something else or cannot be made.
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
    """Prepare *mountpoint* for a mount, one process at a time; what fails in the block undoes it.

    Yields whether there is anything to do: False means that there are headers already, perhaps
    because another process mounted some meanwhile, and that nothing was changed.
    Raises MountpointError.
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
    """Keep others from preparing or restoring; only root's commands meet in one place."""
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
    """Remove the directories that ``prepare`` created for *mountpoint*; return those removed.

    To be called after unmounting. A directory that is in use by now, because something
    was put into it, stays. Without a record nothing was created, and nothing is removed;
    the mount's guardian may be doing the same meanwhile.
    Raises MountpointError if the file system refuses.
    """
    if not directories_created(mountpoint):
        return []
    with _alone():
        return _restore(mountpoint)


def _restore(mountpoint: str) -> list[str]:
    """See restore()."""
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
    """Create *mountpoint* with its parents and record how many directories that took."""
    if os.path.islink(mountpoint):
        target = os.path.join(os.path.dirname(mountpoint), os.readlink(mountpoint))
        raise MountpointError(
            f"{mountpoint} is a symbolic link to {target}, which does not exist: "
            f"run mkdir -p {target} to have the headers mounted there, or remove the link"
        )
    created: list[str] = []
    try:
        for directory in reversed(_absent(os.path.abspath(mountpoint))):
            os.mkdir(directory, 0o755)
            created.append(directory)
        with open(os.path.join(mountpoint, RECORD), "x", encoding="ascii") as stream:
            stream.write(f"{len(created)}\n")
    except OSError as error:
        for directory in reversed(created):
            with contextlib.suppress(OSError):  # somebody else is using it by now
                os.rmdir(directory)
        raise MountpointError(
            f"cannot create {mountpoint}: {reason(error)}; "
            "name a MOUNTPOINT that you can write to, or use kheadersfs run"
        ) from error


def _absent(directory: str) -> list[str]:
    """Return *directory* and its parents as far as they do not exist, deepest first."""
    absent = []
    while not os.path.lexists(directory):
        absent.append(directory)
        directory = os.path.dirname(directory)
    return absent
