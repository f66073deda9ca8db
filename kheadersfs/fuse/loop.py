"""How requests are fetched, and where slow work goes.

pyfuse3 asks its event loop for very little: wait until the descriptor is readable, start another
worker, hold a lock. Its ``trio`` can be replaced for that (pyfuse3.asyncio does so), and ``Loop``
is such a replacement, because importing trio takes 50 ms and 10 MB, half of all that a
mount costs, and its scheduler costs more per request than the request.

One task reads and answers requests, one after the other, as long as none has to wait. When one
waits for a thread, the next task takes over reading, so a slow request holds up nobody else.

What a task yields says what it waits for, and so who resumes it: a ``_Readable`` is a request,
which ``_turn`` gives to one of ``_readers``; a ``Job`` is its end, after which all its waiters are
``_ready``. A task that ends is replaced from ``_spares`` when nobody reads any more.
"""

from __future__ import annotations

import errno
import gc
import mmap
import os
import select
from collections import deque
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from kheadersfs.fuse.latency import WakeLatency
from kheadersfs.fuse.memory import trim_heap
from kheadersfs.fuse.processors import Processors
from kheadersfs.fuse.workers import SHORTAGE_PAUSE, Job, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from kheadersfs.fuse.signals import Alarm
    from kheadersfs.fuse.workers import Result, Task

SHORTAGES = 1000
"""How often in a row a loop waits for memory before it gives up."""

RESERVE = 4 << 20
"""Bytes of address space that are held back until there is no more: each task that reads requests
needs a buffer of 1 MiB, and one that cannot have it keeps all others waiting."""

QUIET = 0.25
"""Seconds without a request or a finished job after which there is time for housekeeping, and
processors may halt again."""

AWAKE = 0.0005
"""Seconds for which the next request is awaited awake, if there is an idle processor for that.

To wake a sleeping one, a virtual one above all, takes longer than to answer: a cold stat takes
61 us with a reader that sleeps at once, 23 us with one that stays awake.
"""

LARGEST_NUMBER_OF_TASKS = 256
"""Requests that may wait for a thread at the same time; further ones queue in the kernel."""


class _Readable:
    """What a task yields to wait for the next request."""

    __slots__ = ()

    def __await__(self) -> Generator[_Readable, None, None]:
        yield self


class _Lock:
    """Stands for trio.Lock: only one task is woken for a request, so there is nothing to lock."""

    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, *_: object) -> None:
        return


class _Named:
    """Stands for trio's current task, whose name pyfuse3 logs."""

    name = "kheadersfs"


class _ClosedResourceError(Exception):
    """Stands for trio.ClosedResourceError, which this loop has no occasion to raise."""


def _new_reserve() -> mmap.mmap:
    """Take address space that can be given back at once. Raises OSError, MemoryError."""
    return mmap.mmap(-1, RESERVE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


class Loop:
    """Runs pyfuse3's main loop over one descriptor.

    ``housekeeping`` is called when nothing has happened for a while. It returns the seconds after
    which it wants to be called again if nothing happens until then, or None. While requests come
    *alarm* goes off, so that none that was withdrawn is awaited for ever.
    """

    def __init__(
        self,
        threads: int,
        housekeeping: Callable[[], float | None],
        alarm: Alarm | None = None,
    ) -> None:
        self.lowlevel = self  # pyfuse3 says trio.lowlevel.wait_readable
        self.ClosedResourceError = _ClosedResourceError
        self.Lock = _Lock
        self._housekeeping = housekeeping
        self._workers = Workers(threads, self._hand_back)
        self._processors = Processors()
        self._alarm = alarm
        self._latency = WakeLatency()
        self._busy = False
        self.keeps_processors_awake = self._latency.is_available
        self._finished: deque[Job[Any]] = deque()
        self.wake_up = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """A descriptor by which threads end the loop's waiting."""
        self._jobs = select.poll()
        self._anything = select.poll()
        for poller in (self._jobs, self._anything):
            poller.register(self.wake_up, select.POLLIN)
        self._descriptor = -1
        self._ready: deque[Task] = deque()
        self._readers: list[Task] = []
        self._spares: list[Callable[[], Task]] = []
        self._restart: Callable[[], Task] | None = None
        self._running = 0
        self._jobs_under_way = 0
        self._shortages = 0
        self._reserve = _new_reserve()

    @property
    def has_reserve(self) -> bool:
        """Whether there is memory to give back when there is none left."""
        return not self._reserve.closed

    # What pyfuse3 calls.

    async def wait_readable(self, descriptor: int) -> None:
        """Return when there is a request to read.

        Where no other task can run this is one poll(2), without a detour through ``run``.
        """
        assert descriptor == self._descriptor
        if self._ready or self._finished or not self._await_event(self._anything):
            await _Readable()

    def current_task(self) -> type[_Named]:
        """Return something with a name."""
        return _Named

    def current_trio_token(self) -> None:
        """Return nothing: no other thread calls into this loop."""
        return

    def notify_closing(self, _descriptor: int) -> None:
        """Accept that the session is over; pyfuse3 has set its own flag."""

    def open_nursery(self) -> Loop:
        """Return what starts tasks: the loop itself."""
        return self

    async def __aenter__(self) -> Loop:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def start_soon(self, function: Callable[..., Task], *arguments: Any, name: str) -> None:
        """Keep a worker in reserve until all others wait for a thread."""
        del name
        self._restart = lambda: function(*arguments)
        self._spares.append(self._restart)

    # What the handlers call.

    def run_in_thread(self, function: Callable[[], Result], ahead: bool = False) -> Job[Result]:
        """Run *function* in a worker thread; *ahead* of need means after what is needed now."""
        job = Job(function)
        self._jobs_under_way += 1
        self._workers.submit(job, ahead)
        return job

    def hurry(self, job: Job[Any]) -> None:
        """Run *job* before others that were started ahead of need."""
        self._workers.hurry(job)

    # The loop.

    def watch(self, descriptor: int) -> None:
        """Take requests from *descriptor*, which is /dev/fuse.

        A request may be withdrawn, because its sender was killed, when it has been announced and
        not been read yet. A descriptor that does not block would make pyfuse3 fail then, which
        leaves 1 MiB of address space behind each time; so it waits for the next one, or the alarm.
        """
        self._descriptor = descriptor
        self._anything.register(descriptor, select.POLLIN)

    def start(self, task: Task) -> None:
        """Run *task* as soon as the loop runs."""
        self._running += 1
        self._ready.append(task)

    def run(self, main: Task) -> None:
        """Run *main* and the tasks it starts until none is left. Raises what a task raises."""
        self.start(main)
        try:
            while self._running or self._spares:
                self._turn()
        finally:
            self._settle()

    def _turn(self) -> None:
        """Do what there is to do, or wait until there is something."""
        if self._ready:
            self._step(self._ready.popleft())
        elif self._finished:
            self._drain_finished()
        elif self._spares and not self._readers:
            self.start(self._spares.pop()())
        # Without a free task a request that is there must not keep the loop awake.
        elif self._await_event(self._anything if self._readers else self._jobs):
            self._ready.append(self._readers.pop())
        else:
            # A job is seen before its wake-up, which then still has to be taken away.
            self._drain_finished()

    def _step(self, task: Task) -> None:
        """Run *task* until it waits, and note for what."""
        try:
            awaited = task.send(None)
        except StopIteration:
            self._running -= 1
        except (OSError, MemoryError) as error:
            self._running -= 1
            if not self._may_go_on(error) or self._restart is None:
                raise
            self._spares.append(self._restart)
        else:
            self._shortages = 0
            if isinstance(awaited, Job):
                if awaited.done:
                    self._ready.append(task)
                else:
                    awaited.waiters.append(task)
            else:
                self._readers.append(task)

    def _may_go_on(self, error: OSError | MemoryError) -> bool:
        """Tell whether to go on after *error*, which pyfuse3 takes for the failure of the session.

        There may be no memory for a request now, and who has it may give it back. When the file
        system goes while a request is being handed over, that one is aborted, and only the next
        read tells that it is gone, which is how a session ends.
        """
        if isinstance(error, OSError) and error.errno not in (errno.ENOMEM, errno.ECONNABORTED):
            return False
        self._shortages += 1
        self._reserve.close()
        gc.collect()
        trim_heap()
        sleep(SHORTAGE_PAUSE)
        return self._shortages < SHORTAGES

    def _await_event(self, poller: select.poll) -> bool:
        """Wait until there is a request, and return True, or a finished job, and return False."""
        # One who looks again and again takes the interpreter's lock from the threads each time.
        if poller is self._anything and not self._jobs_under_way and self._await_awake():
            self._stir()
            return True
        timeout: float | None = QUIET
        while not self._finished:
            events = poller.poll(None if timeout is None else timeout * 1000)
            if events:
                self._stir()
                return any(descriptor == self._descriptor for descriptor, _ in events)
            self._settle()
            timeout = self._housekeeping()
        return False

    def _stir(self) -> None:
        """Make sure of what holds while requests come."""
        if not self._busy:
            self._busy = True
            self._latency.hold()
            if self._alarm is not None:
                self._alarm.start()

    def _settle(self) -> None:
        """Let go of that, and set memory aside for the next shortage after one."""
        if self._reserve.closed:
            with suppress(OSError, MemoryError):
                self._reserve = _new_reserve()
        if self._busy:
            self._busy = False
            self._latency.release()
            if self._alarm is not None:
                self._alarm.stop()

    def _await_awake(self) -> bool:
        """Wait without sleeping, for a while; return whether there is a request."""
        end = monotonic() + AWAKE
        while not (events := self._anything.poll(0)):
            if self._finished or monotonic() > end or not self._processors.has_idle():
                break
        return any(descriptor == self._descriptor for descriptor, _ in events)

    def _drain_finished(self) -> None:
        with suppress(BlockingIOError):  # the job may be seen before its wake-up
            os.eventfd_read(self.wake_up)
        while self._finished:
            job = self._finished.popleft()
            job.done = True
            self._jobs_under_way -= 1
            self._ready.extend(job.waiters)
            job.waiters.clear()

    def _hand_back(self, job: Job[Any]) -> None:
        """Called in a worker thread when *job* has run."""
        self._finished.append(job)
        os.eventfd_write(self.wake_up, 1)
