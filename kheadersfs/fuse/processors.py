"""Tell whether a processor is idle."""

from __future__ import annotations

import os

from kheadersfs.bare import suppress


class Processors:
    """The processors of this machine.

    Source: the fourth field of /proc/loadavg (proc_loadavg(5)) begins with the number of processes
    and threads that run or could run now, the caller among them. The file is opened at once,
    because a server can open nothing once it has given up its rights.
    """

    __slots__ = ("_count", "_load")

    def __init__(self) -> None:
        self._count = os.cpu_count() or 1
        self._load = -1
        # If this process may use only some processors, the figure does not say whether one of these
        # is idle.
        if len(os.sched_getaffinity(0)) == self._count:
            with suppress(OSError):
                self._load = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)

    def has_idle(self) -> bool:
        """Tell whether a processor would be idle if the caller did not run. False if unknown."""
        if self._load < 0:
            return False
        running = os.pread(self._load, 64, 0).split(maxsplit=4)[3].partition(b"/")[0]
        return int(running) <= self._count
