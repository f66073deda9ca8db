"""The server of a command's mount, as ``run`` sees it, and what to do when it is killed.

A server that is killed may not end: the kernel cannot end a thread that waits for the answer to a
request, and the thread keeps /dev/fuse open, so that all others who have asked the server wait too.
The server of a mount that all can see has a guardian for that. Here ``run`` has those requests
fail.
"""

from __future__ import annotations

import os
import select

from kheadersfs.errors import KheadersfsError
from kheadersfs.forking import fork
from kheadersfs.mount.libc import call
from kheadersfs.mount.table import find_device
from kheadersfs.run.entering import enter_namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 2.0
"""Seconds to wait for the server before looking for what keeps it from ending."""

_MNT_FORCE, _MNT_DETACH = 1, 2


class Server:
    """The server, which is the child *pid* of this process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._end = os.pidfd_open(pid)

    def await_end(self, is_needed: Callable[[], bool]) -> int:
        """Wait for it to end, unless it *is_needed* still. Returns its exit status, 0 if it is.

        On a busy machine it may take long to end, and to write its record.
        """
        status = 0
        if self._ends_soon() or (not is_needed() and _has_event(self._end)):
            status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        os.close(self._end)
        return status

    def await_client(self, pid: int, life: int, mountpoint: str) -> None:
        """Wait for the end of the child *pid*, which sees the mount at *mountpoint*.

        If the server is killed meanwhile and does not end, all requests to it fail from then on.
        *life* is a socket whose other end is closed when the server is killed, even if it does not
        end.
        """
        client = os.pidfd_open(pid)
        poller = select.poll()
        poller.register(client, select.POLLIN)
        poller.register(life, 0)  # for the end of the other end, which is always told
        while not any(descriptor == client for descriptor, _ in poller.poll()):
            poller.unregister(life)
            if not self._ends_soon():
                _abort_requests(pid, mountpoint)
        os.close(client)

    def _ends_soon(self) -> bool:
        return _has_event(self._end, PATIENCE)


def _has_event(pidfd: int, seconds: float | None = None) -> bool:
    """Wait until the process of *pidfd* has ended. Returns whether it has within *seconds*."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(None if seconds is None else seconds * 1000))


def _abort_requests(client: int, mountpoint: str) -> None:
    """Have all requests to what the process *client* sees at *mountpoint* fail, if permitted.

    The owner of a mount may do that where the file system of FUSE connections is mounted, and root
    everywhere.
    """
    try:
        number = os.fsdecode(find_device(mountpoint, client)).partition(":")[2]
    except OSError:
        return  # the client has ended
    try:
        with open(f"/sys/fs/fuse/connections/{number}/abort", "wb") as control:
            control.write(b"1")
    except OSError:
        _unmount_by_force(client, mountpoint)


def _unmount_by_force(client: int, mountpoint: str) -> None:
    """Unmount what the process *client* sees at *mountpoint*, and have all requests to it fail."""
    try:
        pidfd = os.pidfd_open(client)
    except OSError:
        return  # it has ended
    try:
        child = fork()
        if child == 0:
            try:
                if enter_namespaces(pidfd):
                    call("umount2", os.fsencode(mountpoint), _MNT_FORCE | _MNT_DETACH)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    except KheadersfsError:
        pass  # no process can be started, so root has to do it by hand
    finally:
        os.close(pidfd)
