"""The long runs: python -m tests.hostile.torture PART [--archive FILE] [--count N] [--seconds S]

A sample of each part is among the tests. Every part prints how much it did, and ends with
status 1 if anything was not as it should be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kheadersfs.api import HeaderArchive
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from tests.hostile.damage import Examiner, all_cuts, alterations, examine_in_processes
from tests.support.mounting import drop_caches, is_running, mounts_below, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20_000
TRUNCATION_STEP = 1024
READERS = 32
PATIENCE = 20.0
LONGEST_KILL = 0.8
MEMORY_GROWTH = 1 << 20
"""Bytes by which the kernel's count of unreclaimable memory may differ after all cycles, times
ten: other programs use memory too."""

Truth = dict[bytes, str]


def digests(archive: HeaderArchive) -> Truth:
    """Return the digest of every file of *archive*. Raises KheadersfsError."""
    return {
        os.fsencode(entry.path): hashlib.sha256(archive.read(entry.path)).hexdigest()
        for entry in archive
        if entry.is_file
    }


def say(text: str) -> None:
    print(text, flush=True)


def damage(archive: Path, first: int, count: int, processes: int) -> int:
    """Cut the archive at every KiB, and alter one byte of it *count* times.

    Not the *first* alterations and the cuts, if any were made before.
    """
    good = archive.read_bytes()
    cuts = [] if first else all_cuts(len(good))
    cases = cuts + alterations(first, count)
    tally = examine_in_processes(Examiner(good), cases, processes, say)
    say(f"damage: {archive.name}, {len(cuts)} cuts and {count} altered bytes from {first}: {tally}")
    return len(tally.faults)


def processes_of(mountpoint: Path) -> list[int]:
    """Return the processes that have *mountpoint* among their arguments."""
    found: list[int] = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(mountpoint) in words and is_running(int(process)):
            found.append(int(process))
    return found


def await_that(condition: Callable[[], bool]) -> bool:
    """Wait until *condition* holds, and return whether it ever did."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def kill(archive: Path, mountpoint: Path, count: int) -> int:
    """Kill what serves a mount, *count* times, at random moments of mounting, reading, ending."""
    generator = random.Random(SEED)
    truth = digests(HeaderArchive(Archive(BytesSource(archive.read_bytes()))))
    bad = 0
    script = f'"$1" -m kheadersfs mount "$2" "$3" && cat "$3"/*/* >/dev/null 2>&1; {UNMOUNT}'
    for number in range(count):
        work = subprocess.Popen(
            ["sh", "-c", script, "sh", sys.executable, archive, mountpoint],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(generator.random() * LONGEST_KILL)
        victims = processes_of(mountpoint)
        if number % 2:
            victims = [pid for pid in victims if pid != work.pid][:1]
        for pid in victims:
            _kill(pid)
        work.wait()
        await_that(lambda: len(processes_of(mountpoint)) < 2)
        bad += not _works_again(archive, mountpoint, truth)
    print(f"kill: {count} times at random moments: {bad} times the next command did not work")
    return bad


UNMOUNT = '"$1" -m kheadersfs umount "$3"'


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _works_again(archive: Path, mountpoint: Path, truth: Truth) -> bool:
    """Tell whether the archive can be mounted, read and unmounted, and nothing is left."""
    if mounts_below(mountpoint):
        run_command("umount", mountpoint)
    outcome = run_command("mount", archive, mountpoint)
    if outcome.status != 0:
        print(outcome.errors, end="")
        return False
    name = next(iter(truth))
    content = (mountpoint / os.fsdecode(name)).read_bytes()
    unmounted = run_command("umount", mountpoint)
    left = processes_of(mountpoint) or mounts_below(mountpoint)
    right = hashlib.sha256(content).hexdigest() == truth[name]
    if unmounted.status or left or not right:
        print(f"{unmounted.errors}left: {left}, right bytes: {right}")
    return unmounted.status == 0 and not left and right


def unreclaimable() -> int:
    """Return the bytes that the kernel cannot take back from anybody, after dropping its caches."""
    drop_caches()
    with open("/proc/meminfo") as memory:
        figures = {line.split(":")[0]: int(line.split()[1]) << 10 for line in memory}
    names = ("AnonPages", "Shmem", "SUnreclaim", "PageTables", "KernelStack")
    return sum(figures[name] for name in names)


def cycles(archive: Path, mountpoint: Path, count: int) -> int:
    """Mount and unmount *count* times; nothing may be left, and nothing grow."""
    truth = digests(HeaderArchive(Archive(BytesSource(archive.read_bytes()))))
    bad, files = 0, len(os.listdir("/proc/self/fd"))
    _works_again(archive, mountpoint, truth)
    before = unreclaimable()
    for _ in range(count):
        bad += not _works_again(archive, mountpoint, truth)
    growth = unreclaimable() - before
    bad += len(os.listdir("/proc/self/fd")) != files
    bad += growth > 10 * MEMORY_GROWTH
    print(
        f"cycles: {count} mounts and unmounts: {bad} faults; "
        f"the machine's unreclaimable memory changed by {growth >> 10} KiB"
    )
    return bad


class _Soak:
    """Readers that compare all bytes, while caches are dropped and other readers killed."""

    def __init__(self, mountpoint: Path, truth: Truth, until: float) -> None:
        self._mountpoint = mountpoint
        self._truth = list(truth.items())
        self._until = until
        self.read = self.wrong = 0
        self._lock = threading.Lock()

    def reader(self, seed: int) -> None:
        generator = random.Random(seed)
        while time.monotonic() < self._until:
            name, digest = generator.choice(self._truth)
            content = (self._mountpoint / os.fsdecode(name)).read_bytes()
            wrong = hashlib.sha256(content).hexdigest() != digest
            with self._lock:
                self.read += 1
                self.wrong += wrong

    def disturber(self) -> None:
        generator = random.Random(SEED)
        while time.monotonic() < self._until:
            drop_caches()
            victim = subprocess.Popen(
                ["grep", "-r", "x", self._mountpoint], stdout=subprocess.DEVNULL
            )
            time.sleep(generator.random() * 0.5)
            victim.kill()
            victim.wait()


def soak(archive: Path, mountpoint: Path, seconds: float) -> int:
    """Read with many readers for *seconds*, all bytes checked."""
    truth = digests(HeaderArchive(Archive(BytesSource(archive.read_bytes()))))
    outcome = run_command("mount", archive, mountpoint)
    if outcome.status != 0:
        print(outcome.errors, end="")
        return 1
    work = _Soak(mountpoint, truth, time.monotonic() + seconds)
    threads = [threading.Thread(target=work.reader, args=(n,)) for n in range(READERS)]
    threads.append(threading.Thread(target=work.disturber))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = run_command("umount", mountpoint).status
    print(
        f"soak: {seconds:.0f} s, {READERS} readers, {work.read} files compared: {work.wrong} wrong"
    )
    return work.wrong + ended + (work.read == 0)


def main() -> int:
    """Run the part that the arguments name."""
    parser = argparse.ArgumentParser(prog="tools/torture", description=__doc__)
    parser.add_argument("part", choices=("damage", "kill", "cycles", "soak"))
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--count", type=int, help="20,000 altered bytes, 200 kills, 2,000 cycles")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=3600.0, help="of soak; an hour")
    values = parser.parse_args()
    if values.part == "damage":
        return bool(damage(values.archive, values.start, values.count or 20_000, values.jobs))
    with tempfile.TemporaryDirectory(prefix="kheadersfs-torture-") as directory:
        mountpoint = Path(directory, "headers")
        mountpoint.mkdir()
        if values.part == "kill":
            return bool(kill(values.archive, mountpoint, values.count or 200))
        if values.part == "cycles":
            return bool(cycles(values.archive, mountpoint, values.count or 2000))
        return bool(soak(values.archive, mountpoint, values.seconds))


if __name__ == "__main__":
    sys.exit(main())
