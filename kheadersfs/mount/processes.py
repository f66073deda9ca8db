"""List processes, and tell a process from a later one with the same pid."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def all_processes() -> Iterator[int]:
    """Yield the pid of each process that /proc shows; any may have ended by now."""
    return map(int, filter(str.isdecimal, os.listdir("/proc")))


def started_at(pid: int) -> int:
    """Return when process *pid* started, in clock ticks since boot.

    The pid and this time together identify a process. Source: proc_pid_stat(5), field 22. Raises
    OSError when there is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as status:
        # The second field is a name in parentheses, in which spaces and parentheses may be too.
        return int(status.read().rpartition(b")")[2].split()[19])
