"""Ask for the names of hot headers for a command of ``run``; fuse.advance says what for.

The lister is a process of its own. It enters the namespace of the command, asks the server which
directories to list and which names to look for, and does so. It is a child of ``run`` and not of
the command, because a program may be confused by a child that it has not started. ``run`` ends it
when the command ends, because the mount lives as long as a process is in the namespace.
"""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError
from kheadersfs.forking import fork
from kheadersfs.mount.asking import HOT_ATTRIBUTE
from kheadersfs.run.child import end_with_parent
from kheadersfs.run.entering import enter_namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # the enumerations around it take 4 ms to import


class Lister:
    """The lister for a command whose mount is at *mountpoint* in its namespace.

    *command* is the pid of the command, which has started. Errors are ignored, because the command
    works without a lister, only more slowly.
    """

    def __init__(self, command: int, mountpoint: str) -> None:
        parent = os.getpid()
        self._pid = 0
        try:
            descriptor = os.pidfd_open(command)
        except OSError:
            return
        try:
            self._pid = fork()
            if self._pid == 0:
                _list(parent, command, descriptor, mountpoint)
        except KheadersfsError:
            pass
        finally:
            os.close(descriptor)

    def end(self, await_end: Callable[[int], None]) -> None:
        """End the lister, if it has not ended yet. *await_end* returns when the pid has ended.

        The kernel ends it only when a request that the server has read is answered, or fails.
        """
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            await_end(self._pid)
            os.waitpid(self._pid, 0)


def _list(parent: int, pid: int, command: int, mountpoint: str) -> None:
    """List directories and look for names, then end this process.

    *parent* is the pid of ``run``. *pid* is the command's, and *command* a pidfd of it.
    """
    try:
        # A terminal sends these signals to all processes of a group, but they mean the command.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        # setns() changes to the root of the namespace, but the command may be in a chroot there.
        root = os.open(f"/proc/{pid}/root", os.O_PATH)
        end_with_parent(parent, signal.SIGKILL)
        if not enter_namespaces(command):
            return
        os.fchdir(root)
        mountpoint = mountpoint.lstrip("/")
        # asking.ask() would ask in another thread, and the server would take that for the lister.
        for path in os.getxattr(mountpoint, HOT_ATTRIBUTE).split(b"\0"):
            name = os.fsencode(mountpoint) + b"/" + path
            if path.endswith(b"/"):
                os.listdir(name)
            else:
                os.path.lexists(name)
    finally:
        os._exit(0)
