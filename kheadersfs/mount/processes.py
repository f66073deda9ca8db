"""Which process a number stands for."""

from __future__ import annotations


def started_at(pid: int) -> int:
    """Return when process *pid* started, in clock ticks since boot: with the pid, its identity.

    Raises OSError when there is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as status:
        # The second field is a name in parentheses that may hold anything.
        return int(status.read().rpartition(b")")[2].split()[19])
