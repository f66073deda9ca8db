"""What the kernel says about memory: of the whole machine, and of one contender's servers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

UNRECLAIMABLE = ("AnonPages", "Shmem", "SUnreclaim", "PageTables", "KernelStack")
"""Fields of /proc/meminfo that stay occupied when the kernel's caches are dropped."""


def drop_caches() -> bool:
    """Drop clean pages, dentries and inodes. Returns False where that is not permitted."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as control:
            control.write("3")
    except PermissionError:
        return False
    return True


def parse_fields(text: str) -> dict[str, int]:
    """Return the sizes in /proc/meminfo or /proc/PID/status, ``Name:  123 kB``, in bytes."""
    sizes = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB":
            sizes[name] = int(words[0]) * 1024
    return sizes


def unreclaimable(sizes: dict[str, int]) -> int:
    """Return the bytes that the machine described by /proc/meminfo's *sizes* cannot get back."""
    return sum(sizes[name] for name in UNRECLAIMABLE)


def measure_unreclaimable() -> int:
    """Drop caches, and return the bytes of the whole machine that this does not free."""
    drop_caches()
    with open("/proc/meminfo") as meminfo:
        return unreclaimable(parse_fields(meminfo.read()))


class ServerMemory(NamedTuple):
    """What some processes hold, in bytes, added up.

    ``peak`` is the highest resident size each ever had. ``memfd`` and ``deleted`` are what their
    descriptors keep of files without a name: in memory, and on any file system.
    """

    resident: int
    peak: int
    memfd: int
    deleted: int


def server_memory(pids: Iterable[int]) -> ServerMemory:
    """Return what the processes *pids* hold; those that have ended hold nothing."""
    resident = peak = memfd = deleted = 0
    seen: set[tuple[int, int]] = set()
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as status:
                sizes = parse_fields(status.read())
            nameless = _nameless_files(pid, seen)
        except (FileNotFoundError, ProcessLookupError):
            continue
        resident += sizes.get("VmRSS", 0)
        peak += sizes.get("VmHWM", 0)
        memfd += sum(size for name, size in nameless if is_memfd(name))
        deleted += sum(size for name, size in nameless if not is_memfd(name))
    return ServerMemory(resident, peak, memfd, deleted)


def proportional_memory(pids: Iterable[int]) -> int:
    """Return the bytes that the processes *pids* hold together, counting shared pages once."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                total += parse_fields(rollup.read())["Pss"]
        except (FileNotFoundError, ProcessLookupError, KeyError):
            continue  # it has ended, and a zombie's file is empty
    return total


def is_memfd(name: str) -> bool:
    """Tell whether *name*, the target of a link in /proc/PID/fd, is that of a memfd."""
    return name.startswith("/memfd:")


def _nameless_files(pid: int, seen: set[tuple[int, int]]) -> list[tuple[str, int]]:
    """Return (name, bytes allocated) of the files without a name that *pid* has open.

    A file that is in *seen*, by device and inode, is left out; those returned are put there.
    """
    files = []
    directory = f"/proc/{pid}/fd"
    for descriptor in os.listdir(directory):
        try:
            name = os.readlink(f"{directory}/{descriptor}")
            status = os.stat(f"{directory}/{descriptor}")
        except FileNotFoundError:
            continue
        identity = (status.st_dev, status.st_ino)
        if name.endswith(" (deleted)") and identity not in seen:
            seen.add(identity)
            files.append((name, status.st_blocks * 512))
    return files


def cpu_ticks(pids: Iterable[int]) -> int:
    """Return the processor time, in clock ticks, that the processes *pids* have used so far."""
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                ticks += parse_ticks(stat.read())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks


def parse_ticks(text: str) -> int:
    """Return utime and stime in *text*, of /proc/PID/stat, added up."""
    # The second field is a name in parentheses that may hold anything.
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
