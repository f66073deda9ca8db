"""Tell whether there is a processor that nobody needs."""

from __future__ import annotations

import os
from contextlib import suppress


class Processors:
    """All processors of this machine, and how many processes and threads want one.

    Source: /proc/loadavg (proc_loadavg(5)): its fourth field begins with the number of those that
    run or could run now, the caller among them. The file stays open, for a process that cannot
    open one later.
    """

    __slots__ = ("_count", "_load")

    def __init__(self) -> None:
        self._count = os.cpu_count() or 1
        self._load = -1
        # A process that may use only some processors cannot tell whether those are the busy ones.
        if len(os.sched_getaffinity(0)) == self._count:
            with suppress(OSError):
                self._load = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)

    def has_idle(self) -> bool:
        """Return whether one would have nothing to do if the caller did not use it."""
        if self._load < 0:
            return False
        running = os.pread(self._load, 64, 0).split(maxsplit=4)[3].partition(b"/")[0]
        return int(running) <= self._count
