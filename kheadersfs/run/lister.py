"""The process that has the kernel know a build's names before the command of ``run`` asks for them.

It goes into the command's namespace, asks the server which directories have headers that most
builds read, and lists these; see fuse.advance. A child of the command's would be one that it does
not know, so it is one of its parent's, which ends it with the command: whoever is in the namespace
keeps the mount.
"""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError
from kheadersfs.forking import fork
from kheadersfs.mount.asking import HOT_ATTRIBUTE
from kheadersfs.mount.libc import CLONE_NEWNS, CLONE_NEWUSER, call
from kheadersfs.run.child import end_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the enumerations around it take 4 ms to import

_USERS_AND_MOUNTS = CLONE_NEWUSER | CLONE_NEWNS


class Lister:
    """The lister for the process *command*, which has started and sees the mount at *mountpoint*.

    Where it cannot do anything it does nothing, and the command asks for each name itself.
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

    def end(self) -> None:
        """End it, if it has not ended yet."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _list(parent: int, pid: int, command: int, mountpoint: str) -> None:
    """List what is hot, then end this process. *command* is the descriptor of process *pid*."""
    try:
        for number in (signal.SIGINT, signal.SIGQUIT):  # the terminal's, which the command heeds
            signal.signal(number, signal.SIG_IGN)
        # In a chroot the namespace's own root, to which setns() goes, is that around it.
        root = os.open(f"/proc/{pid}/root", os.O_PATH)
        end_with_parent(parent, signal.SIGKILL)
        # Who may make a namespace of mounts only inside one of users has to go into both.
        if call("setns", command, CLONE_NEWNS) and call("setns", command, _USERS_AND_MOUNTS):
            return
        os.fchdir(root)
        mountpoint = mountpoint.lstrip("/")
        # Not asking.ask(): it asks in another thread, which the server takes for the lister.
        for directory in os.getxattr(mountpoint, HOT_ATTRIBUTE).split(b"\0"):
            os.listdir(os.path.join(os.fsencode(mountpoint), directory))
    finally:
        os._exit(0)
