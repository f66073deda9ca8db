"""Find out from outside about a running server: its status, its process, and its end."""

from __future__ import annotations

import os
import select

from kheadersfs.errors import KheadersfsError, MountpointError, reason
from kheadersfs.mount.asking import PATIENCE, SERVER_ATTRIBUTE, STATUS_ATTRIBUTE, ask
from kheadersfs.mount.processes import started_at
from kheadersfs.mount.table import find_device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROMPT = 1.0
"""Seconds that a server which is free to go needs at most, unless the machine is busy."""


def read_status(mountpoint: str) -> dict[str, Any]:
    """Return what the server of *mountpoint* says of itself, as `status --json` prints it.

    Raises MountpointError when it does not answer.
    """
    import json  # 7 ms, which only status pays

    try:
        status: dict[str, Any] = json.loads(ask(mountpoint, STATUS_ATTRIBUTE))
    except OSError as error:
        raise MountpointError(f"{mountpoint}: cannot ask its server: {reason(error)}") from error
    # The mountpoint that the server knows may be gone, while a bind mount of it is still there.
    status["mountpoint"] = mountpoint
    return status


class Server:
    """The process that serves what is mounted at *mountpoint*."""

    def __init__(self, pid: int, mountpoint: str) -> None:
        self.pid = pid
        self._mountpoint = mountpoint
        self._device = find_device(mountpoint)
        self._descriptor = os.pidfd_open(pid)

    def wait(self) -> None:
        """Wait until it has ended. Raises KheadersfsError if it does not, saying why."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        if not poller.poll(PROMPT * 1000):
            # It takes 6 ms, which only mounts that something holds pay.
            from kheadersfs.mount.holders import describe_holder

            holder = describe_holder(self._device, self._mountpoint)
            if holder is not None:
                raise KheadersfsError(f"unmounted here, but {holder}")
            if not poller.poll(PATIENCE * 1000):
                raise KheadersfsError(
                    f"unmounted, but the server (process {self.pid}) has not ended; look at its log"
                )
        os.close(self._descriptor)


def find_server(mountpoint: str) -> Server | None:
    """Return the process that serves *mountpoint*, None if it cannot be seen from here.

    Raises ServerKilled, and MountpointError when it does not answer.
    """
    try:
        pid, started = map(int, ask(mountpoint, SERVER_ATTRIBUTE).split())
        server = Server(pid, mountpoint)
        # The server may be in another pid namespace. Then its pid is somebody else's here.
        return server if started_at(server.pid) == started else None
    except (OSError, ValueError):
        return None
