"""Many readers for a long time, every byte compared, while caches are dropped and processes killed.

Readers are processes. Time and again one is killed and another takes its place. In the first half
the server is killed too, less often, and the archive mounted again; what is read while no server is
there may be an error. Nothing else may, and what is read without an error must be right at any
time. In the second half the server lives, and may not grow.
"""

from __future__ import annotations

import ctypes
import errno
import multiprocessing
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.attacks.damage import digest_of
from tests.attacks.place import processes_of
from tests.support.mounting import drop_caches
from tests.torture.pace import Journal, RunningTime, await_that, growth

if TYPE_CHECKING:
    from tests.attacks.place import Place
    from tests.torture.pace import Say

SEED = 20_000
SERVER_GROWTH = 8 << 20
GROWN_UP = 60.0
"""Bytes of memory that a server may grow by from so many seconds after its start on."""
READERS = 64
STUCK = 60.0
"""Seconds of running in which every reader must have got on."""
LONGEST_PAUSE = 0.5
SERVER_INTERVAL = 10.0
"""Seconds of running between two kills of the server."""
EXCUSABLE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENOENT)
"""What a reader may get while the server is gone; the last when nothing is mounted yet."""
_RETRY_INTERVAL = 0.01
_FORK = multiprocessing.get_context("fork")


class Figures(ctypes.Structure):
    """What a reader has done, in memory shared with it, so that it stays when that is killed.

    ``excused`` are errors while the server was gone; ``faults`` wrong bytes and other errors.
    """

    _fields_ = (
        ("compared", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("excused", ctypes.c_uint64),
        ("faults", ctypes.c_uint64),
    )
    compared: int
    size: int
    excused: int
    faults: int


class Disturbance(ctypes.Structure):
    """``count`` is odd from before the server is killed until another one serves."""

    _fields_ = (("count", ctypes.c_uint64),)
    count: int


def read_for_ever(place: Place, figures: Figures, disturbance: Disturbance, seed: int) -> None:
    """Compare random files with the archive, until killed or left alone."""
    generator = random.Random(seed)
    parent = os.getppid()
    while os.getppid() == parent:
        [name] = place.choose(generator, 1)
        before = disturbance.count
        try:
            content = (place.mountpoint / name).read_bytes()
        except OSError as error:
            disturbed = before % 2 or disturbance.count != before
            if disturbed and error.errno in EXCUSABLE:
                figures.excused += 1
            else:
                figures.faults += 1
                sys.stderr.write(f"{name}: {error}\n")
            time.sleep(_RETRY_INTERVAL)
            continue
        figures.compared += 1
        figures.size += len(content)
        if digest_of(content) != place.digests[name]:
            figures.faults += 1
            sys.stderr.write(f"{name}: wrong bytes\n")
            time.sleep(_RETRY_INTERVAL)


class Reader:
    """One of the readers, and after it those that take its place."""

    def __init__(self, place: Place, disturbance: Disturbance, seed: int) -> None:
        self.figures = _FORK.RawValue(Figures)
        self._place = place
        self._disturbance = disturbance
        self._seen = 0
        self._waiting = RunningTime()
        self.start(seed)

    def start(self, seed: int) -> None:
        arguments = (self._place, self.figures, self._disturbance, seed)
        self._process = _FORK.Process(target=read_for_ever, args=arguments)
        self._process.start()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()

    def is_stuck(self) -> bool:
        """Tell whether nothing was read for long, or the process has ended by itself."""
        done = self.figures.compared + self.figures.excused
        if done != self._seen:
            self._seen = done
            self._waiting = RunningTime()
        return self._waiting.elapsed() > STUCK or not self._process.is_alive()


class Soak:
    """The readers of a *place*, and what disturbs them."""

    def __init__(self, place: Place, journal: Journal) -> None:
        self._place = place
        self._journal = journal
        self._generator = random.Random(SEED)
        self._disturbance = _FORK.RawValue(Disturbance)
        self.readers_killed = self.servers_killed = 0
        self._readers: list[Reader] = []
        try:
            for number in range(READERS):
                self._readers.append(Reader(place, self._disturbance, SEED + number))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all readers."""
        for reader in self._readers:
            reader.kill()

    def step(self) -> None:
        """Drop the caches, kill one reader, and see that the others get on."""
        time.sleep(self._generator.random() * LONGEST_PAUSE)
        drop_caches()
        reader = self._generator.choice(self._readers)
        if any(reader.is_stuck() for reader in self._readers):
            self._journal.note("soak", ["a reader is stuck, or has ended"])
        reader.kill()
        self.readers_killed += 1
        reader.start(SEED + READERS + self.readers_killed)

    def kill_server(self) -> None:
        """Kill the server, half of the times with its guardian, and mount again at once."""
        victims = processes_of(self._place.mountpoint)
        if self._generator.random() < 0.5:
            victims = {pid: words for pid, words in victims.items() if b"kheadersfs" in words}
        self._disturbance.count += 1
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.servers_killed += 1
        faults = self._place.mount()
        self._journal.note("mounting after a kill", faults)
        if faults:  # once is enough of a fault: let the readers go on
            await_that(lambda: not processes_of(self._place.mountpoint))
            self._journal.note("mounting again", self._place.mount())
        self._disturbance.count += 1

    def total(self, figure: str) -> int:
        """Return the sum of one of the readers' figures."""
        return sum(getattr(reader.figures, figure) for reader in self._readers)

    def __str__(self) -> str:
        return (
            f"{self.total('compared')} files with {self.total('size') >> 20} MiB compared, "
            f"{self.total('excused')} errors while no server was there, "
            f"{self.readers_killed} readers and {self.servers_killed} servers killed, "
            f"{self.total('faults')} reads wrong"
        )


def soak(place: Place, seconds: float, server_interval: float, say: Say) -> list[str]:
    """Read for so many *seconds* of running; in the first half kill a server every
    *server_interval* seconds. Returns what was wrong.
    """
    journal = Journal(say)
    journal.note("first", place.mount())
    work = Soak(place, journal)
    running, next_kill = RunningTime(), server_interval
    resident: list[int] = []
    try:
        while running.elapsed() < seconds:
            work.step()
            if running.elapsed() > seconds / 2:
                status = place.status()
                if status["uptime"] > GROWN_UP:
                    resident.append(status["resident"])
            elif running.elapsed() > next_kill:
                work.kill_server()
                next_kill += server_interval
            journal.tell(f"{running.elapsed():.0f} s, {work}")
    finally:
        work.stop()
    grown = growth(resident)
    if grown > SERVER_GROWTH:
        journal.note("end", [f"the server has grown by {grown} bytes"])
    if not await_that(lambda: not place.status()["open_files"]):
        journal.note("end", ["the server still has files open"])
    requests = sum(place.status()["requests"].values())
    journal.note("end", place.unmount() + place.left_over())
    journal.note("logged", place.failures())
    if work.total("faults") or not work.total("compared"):
        journal.note("end", [f"reads: {work}"])
    say(
        f"soak: {place.archive.name}, {seconds:.0f} s, {READERS} readers: {work}; the last "
        f"server had {requests} requests and grew by {grown >> 10} KiB; "
        f"{len(journal.faults)} faults"
    )
    return journal.faults
