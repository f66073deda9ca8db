"""The scheduler: which task reads the next request, and where slow work goes.

One task reads and answers requests, one after the other, as long as none has to wait. When one
waits for a thread, the next task takes over reading, so a slow request holds up nobody else.

What a task yields says what it waits for, and so who resumes it: a ``_Readable`` is a request,
which ``_turn`` gives to one of ``_readers``; a ``Job`` is its end, after which all its waiters are
``_ready``. A task that ends is replaced from ``_spares`` when nobody reads any more.
"""

from __future__ import annotations

import errno
import gc
from collections import deque
from time import sleep
from typing import TYPE_CHECKING, Any

from kheadersfs.fuse.memory import Reserve, trim_heap
from kheadersfs.fuse.waiting import Waiting
from kheadersfs.fuse.workers import SHORTAGE_PAUSE, Job, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from kheadersfs.fuse.relay import Relay
    from kheadersfs.fuse.signals import Alarm
    from kheadersfs.fuse.workers import Result, Task

SHORTAGES = 1000
"""How often in a row a loop waits for memory before it gives up."""

LARGEST_NUMBER_OF_TASKS = 256
"""Requests that may wait for a thread at the same time; further ones queue in the kernel."""


class _Readable:
    """What a task yields to wait for the next request."""

    __slots__ = ()

    def __await__(self) -> Generator[_Readable, None, None]:
        yield self


class Loop:
    """Runs tasks that take requests from one descriptor, and jobs in threads that they wait for.

    For *housekeeping* and *alarm* see Waiting.
    """

    def __init__(
        self,
        threads: int,
        housekeeping: Callable[[], float | None],
        alarm: Alarm | None = None,
    ) -> None:
        self._housekeeping = housekeeping
        self._workers = Workers(threads, self._hand_back)
        self._apart = Workers(1, self._hand_back, may_block=True)
        self._finished: deque[Job[Any]] = deque()
        self.waiting = Waiting(self._finished, self._keep_house, alarm)
        self._relay: Relay | None = None
        self._ready: deque[Task] = deque()
        self._readers: list[Task] = []
        self._spares: list[Callable[[], Task]] = []
        self._restart: Callable[[], Task] | None = None
        self._running = 0
        self._jobs_under_way = 0
        self._shortages = 0
        self.reserve = Reserve()

    # What the stand-in for trio calls.

    async def wait_readable(self, _descriptor: int) -> None:
        """Return when there is a request to read.

        Where no other task can run this is one poll(2), without a detour through ``run``.
        """
        self._pass_answers()
        if self._ready or self._finished or not self._await_request():
            await _Readable()

    def spare(self, make: Callable[[], Task]) -> None:
        """Keep a task that *make* makes in reserve until all others wait for a thread."""
        self._restart = make
        self._spares.append(make)

    # What the handlers call.

    def run_in_thread(self, function: Callable[[], Result], ahead: bool = False) -> Job[Result]:
        """Run *function* in a worker thread; *ahead* of need means after what is needed now."""
        job = Job(function)
        self._jobs_under_way += 1
        self._workers.submit(job, ahead)
        return job

    def run_apart(self, function: Callable[[], Result]) -> Job[Result]:
        """Run *function* in a thread of its own: it may block until a request is answered.

        Whoever awaits it gets MemoryError where there is no such thread.
        """
        job = Job(function)
        self._jobs_under_way += 1
        self._apart.submit(job)
        return job

    def hurry(self, job: Job[Any]) -> None:
        """Run *job* before others that were started ahead of need."""
        self._workers.hurry(job)

    # What the session calls.

    def watch(self, descriptor: int, relay: Relay | None = None) -> None:
        """Take requests from *descriptor*, which is /dev/fuse, by way of *relay* if there is one.

        A request may be withdrawn, because its sender was killed, when it has been announced and
        not been read yet. A descriptor that does not block would make pyfuse3 fail then, which
        leaves 1 MiB of address space behind each time; so it waits for the next one, or the alarm.
        """
        self._relay = relay
        self.waiting.watch(descriptor)

    def start(self, task: Task) -> None:
        """Run *task* as soon as the loop runs."""
        self._running += 1
        self._ready.append(task)

    def run_at_once(self, task: Task) -> None:
        """Run *task* until it waits, before all that are ready."""
        self._running += 1
        self._step(task)

    def run(self, main: Task) -> None:
        """Run *main* and the tasks it starts until none is left. Raises what a task raises."""
        self.start(main)
        try:
            while self._running or self._spares:
                self._turn()
        finally:
            self.waiting.settle()

    def _turn(self) -> None:
        """Do what there is to do, or wait until there is something."""
        if self._ready:
            self._step(self._ready.popleft())
        elif self._finished:
            self._drain_finished()
        elif self._spares and not self._readers:
            self.start(self._spares.pop()())
        elif self._readers:
            if self._await_request():
                self._ready.append(self._readers.pop())
            else:
                # A job is seen before its wake-up, which then still has to be taken away.
                self._drain_finished()
        else:
            # Without a free task a request that is there must not keep the loop awake.
            self.waiting.for_job()
            self._drain_finished()

    def _await_request(self) -> bool:
        while self.waiting.for_request(awake=not self._jobs_under_way):
            if self._relay is None or self._relay.pass_request():
                return True
            if self._ready or self._finished:
                break  # the relay has answered that one, and there is something else to do
        return False

    def _pass_answers(self) -> None:
        if self._relay is not None:
            self._relay.pass_answers()

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
        self._pass_answers()

    def _may_go_on(self, error: OSError | MemoryError) -> bool:
        """Tell whether to go on after *error*, which pyfuse3 takes for the failure of the session.

        There may be no memory for a request now, and who has it may give it back. When the file
        system goes while a request is being handed over, that one is aborted, and only the next
        read tells that it is gone, which is how a session ends.
        """
        if isinstance(error, OSError) and error.errno not in (errno.ENOMEM, errno.ECONNABORTED):
            return False
        self._shortages += 1
        self.reserve.give_back()
        gc.collect()
        trim_heap()
        sleep(SHORTAGE_PAUSE)
        return self._shortages < SHORTAGES

    def _keep_house(self) -> float | None:
        """Called when nothing has happened for a while; see Waiting."""
        self.reserve.take_again()
        return self._housekeeping()

    def _drain_finished(self) -> None:
        self.waiting.take_wake_up()
        while self._finished:
            job = self._finished.popleft()
            job.done = True
            self._jobs_under_way -= 1
            self._ready.extend(job.waiters)
            job.waiters.clear()

    def _hand_back(self, job: Job[Any]) -> None:
        """Called in a worker thread when *job* has run."""
        self._finished.append(job)
        self.waiting.wake()
