"""Find the server of a mount, read its status, and wait for its end."""

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
"""Seconds within which a server ends after an unmount if nothing keeps the file system alive."""


def read_status(mountpoint: str) -> dict[str, Any]:
    """Return the status of the server of *mountpoint*, the object that `status --json` prints.

    Raises MountpointError when the server does not answer.
    """
    import json  # 7 ms, which only status pays

    try:
        status: dict[str, Any] = json.loads(ask(mountpoint, STATUS_ATTRIBUTE))
    except OSError as error:
        raise MountpointError(f"{mountpoint}: cannot ask its server: {reason(error)}") from error
    # The server knows the first mountpoint only. This may be a bind mount of it.
    status["mountpoint"] = mountpoint
    return status


class Server:
    """The server with pid *pid* of the mount at *mountpoint*. Raises OSError if it has ended."""

    def __init__(self, pid: int, mountpoint: str) -> None:
        self.pid = pid
        self._mountpoint = mountpoint
        self._device = find_device(mountpoint)
        self._descriptor = os.pidfd_open(pid)

    def wait(self) -> None:
        """Wait until the server has ended. Raises KheadersfsError, with the reason, if not."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        if not poller.poll(PROMPT * 1000):
            # This import takes 6 ms, and few mounts need it.
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
    """Return the server of *mountpoint*, None if this process cannot see that process.

    Raises ServerKilled, and MountpointError when the server does not answer.
    """
    try:
        pid, started = map(int, ask(mountpoint, SERVER_ATTRIBUTE).split())
        server = Server(pid, mountpoint)
        # If the server is in another pid namespace, its pid is another process's here.
        return server if started_at(server.pid) == started else None
    except (OSError, ValueError):
        return None
