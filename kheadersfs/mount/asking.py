"""Ask the server of a mount, which may be stuck and then never answers."""

from __future__ import annotations

import _thread
import errno
import os

from kheadersfs.errors import MountpointError, quoted

STATUS_ATTRIBUTE = "user.kheadersfs.status"
SERVER_ATTRIBUTE = "user.kheadersfs.server"
"""The server's pid, a space, and what processes.started_at() says of it: which process it is."""
KERNEL_ATTRIBUTE = "user.kheadersfs.kernel"
"""Which kernel's headers are mounted, as identity.encode() writes it."""
HOT_ATTRIBUTE = "user.kheadersfs.hot"
"""The paths of the directories that whoever asks for them has to list, with zeros between; see
fuse.advance. It is not among the attributes that are listed."""
_GONE = (errno.ENOTCONN, errno.ECONNABORTED)
"""What requests fail with that are made after the server's end, and that were under way at its
end."""
PATIENCE = 10.0
"""Seconds to wait for an answer, or for a server to end, before calling it stuck."""


class ServerKilled(MountpointError):
    """The server of a mount has gone without unmounting."""


def ask(mountpoint: str, attribute: str) -> bytes:
    """Return an extended attribute of *mountpoint*, for which no server of ours reads its archive.

    Raises ServerKilled, MountpointError when there is no answer, and OSError as os.getxattr() does.
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

    # A stuck server would keep this process waiting there for good. (The module threading, which
    # says the same in better words, takes a millisecond to import.)
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
    """Tell whether the server of the file system at *mountpoint* is gone.

    Raises MountpointError when it does not answer.
    """
    try:
        ask(mountpoint, SERVER_ATTRIBUTE)
    except ServerKilled:
        return True
    except OSError:  # of another file system, or of none
        pass
    return False
