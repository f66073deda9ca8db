"""Ask the server of a mount by extended attributes. A stuck server does not block the caller."""

from __future__ import annotations

import _thread
import errno
import os

from kheadersfs.errors import MountpointError, quoted

STATUS_ATTRIBUTE = "user.kheadersfs.status"
"""A JSON object of figures; see fuse.figures."""
SERVER_ATTRIBUTE = "user.kheadersfs.server"
"""The server's pid, a space, and what processes.started_at() returns for it."""
KERNEL_ATTRIBUTE = "user.kheadersfs.kernel"
"""The kernel whose headers are mounted, as fuse.identity.encode() writes it."""
HOT_ATTRIBUTE = "user.kheadersfs.hot"
"""The paths of the directories that the asking process has to list, separated by zero bytes; see
fuse.advance. listxattr(2) does not name this attribute."""
_GONE = (errno.ENOTCONN, errno.ECONNABORTED)
"""Errors of a request that was sent after the server's end, and of one that was not answered by
then."""
PATIENCE = 10.0
"""Seconds after which a server that neither answers nor ends is taken for stuck."""


class ServerKilled(MountpointError):
    """The server of a mount has ended without unmounting."""


def ask(mountpoint: str, attribute: str) -> bytes:
    """Return an extended attribute of *mountpoint*, for which its server need not read the archive.

    Raises ServerKilled, MountpointError after PATIENCE seconds without an answer, and OSError as
    os.getxattr() does.
    """
    answer: list[bytes | OSError] = []
    answered = _thread.allocate_lock()
    answered.acquire()

    def wait_in_the_kernel() -> None:
        try:
            answer.append(os.getxattr(mountpoint, attribute))
        except OSError as error:
            answer.append(error)
        answered.release()

    # A stuck server would block the calling thread for ever. The module threading would be clearer
    # than _thread, but takes a millisecond to import.
    _thread.start_new_thread(wait_in_the_kernel, ())
    if not answered.acquire(timeout=PATIENCE):
        raise MountpointError(
            f"{mountpoint}: its server does not answer; unmount it: "
            f"kheadersfs umount --lazy {quoted(mountpoint)}"
        )
    if not isinstance(answer[0], OSError):
        return answer[0]
    if answer[0].errno in _GONE:
        raise ServerKilled(
            f"{mountpoint}: its server was killed; clean up: kheadersfs umount {quoted(mountpoint)}"
        ) from answer[0]
    raise answer[0]


def is_dead(mountpoint: str) -> bool:
    """Tell whether the server of the file system at *mountpoint* has ended.

    Raises MountpointError when it does not answer.
    """
    try:
        ask(mountpoint, SERVER_ATTRIBUTE)
    except ServerKilled:
        return True
    except OSError:  # it is another file system, which does not have the attribute
        pass
    return False
