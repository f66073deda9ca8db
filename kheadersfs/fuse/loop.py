"""The event loop: it runs the tasks that answer requests, and hands slow work to threads.

One task reads and answers requests, one after the other, as long as none has to wait. When it waits
for a thread, another task reads the next request, so a slow request delays no other.

What a task yields says what it waits for:

- A ``_Readable`` is the next request. The task goes to ``_readers``, from which ``_turn`` takes it
  when there is one.
- A ``Job`` is the end of that job. The task goes to the job's waiters, and at its end to
  ``_ready``.

When no task is left that could read, one is made from ``_spares``.
"""

from __future__ import annotations

import errno
import gc
from time import sleep

from kheadersfs.bare import deque
from kheadersfs.fuse.descriptors import keep_in_thread
from kheadersfs.fuse.memory import Reserve, trim_heap
from kheadersfs.fuse.waiting import Waiting
from kheadersfs.fuse.workers import SHORTAGE_PAUSE, Job, Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from kheadersfs.fuse.relay import Relay
    from kheadersfs.fuse.signals import Alarm
    from kheadersfs.fuse.workers import Result, Task

SHORTAGES = 1000
"""How often in a row the loop goes on after a task has failed for want of memory."""

LARGEST_NUMBER_OF_TASKS = 256
"""Most requests that wait for threads at the same time. Further ones wait in the kernel's queue."""


class _Readable:
    """What a task yields to wait for the next request."""

    __slots__ = ()

    def __await__(self) -> Generator[_Readable, None, None]:
        yield self


class Loop:
    """Runs tasks that take requests from one descriptor, and the jobs in threads that they await.

    All methods but ``_hand_back`` are called in one thread, and all tasks run in it. *threads* is
    how many worker threads there may be. Waiting says what *housekeeping* and *alarm* are.
    """

    def __init__(
        self,
        threads: int,
        housekeeping: Callable[[], float | None],
        alarm: Alarm | None = None,
    ) -> None:
        self._housekeeping = housekeeping
        self._workers = Workers(threads, self._hand_back)
        self._apart = Workers(1, self._hand_back, may_block=True, begin=self._stand_apart)
        self._finished: deque[Job[Any]] = deque()
        self.waiting = Waiting(self._finished, self._keep_house, alarm)
        self._relay: Relay | None = None
        self._ready: deque[Task] = deque()
        self._readers: list[Task] = []
        self._spares: list[Callable[[], Task]] = []
        self._restart: Callable[[], Task] | None = None
        """Makes a task in place of one that has failed."""
        self._running = 0
        self._jobs_under_way = 0
        self._shortages = 0
        self.reserve = Reserve()

    # What the stand-in for trio calls.

    async def wait_readable(self, _descriptor: int) -> None:
        """Return when there is a request to read.

        Where no other task can run, this polls the descriptor and does not go back to ``run``.
        """
        self._pass_answers()
        if self._ready or self._finished or not self._await_request():
            await _Readable()

    def spare(self, make: Callable[[], Task]) -> None:
        """Keep *make*, and start the task that it makes once all others wait for threads."""
        self._restart = make
        self._spares.append(make)

    # What the handlers call.

    def run_in_thread(self, function: Callable[[], Result], ahead: bool = False) -> Job[Result]:
        """Run *function* in a worker thread.

        With *ahead*, it is begun after all jobs that requests wait for.
        """
        job = Job(function)
        self._jobs_under_way += 1
        self._workers.submit(job, ahead)
        return job

    def run_apart(self, function: Callable[[], Result]) -> Job[Result]:
        """Run *function* in a separate thread, where it may block until a request is answered.

        Awaiting the job raises MemoryError if that thread cannot be started.
        """
        job = Job(function)
        self._jobs_under_way += 1
        self._apart.submit(job)
        return job

    def hurry(self, job: Job[Any]) -> None:
        """Begin *job* before those that no request waits for."""
        self._workers.hurry(job)

    # What the session calls.

    def watch(self, descriptor: int, relay: Relay | None = None) -> None:
        """Take requests from *descriptor*, which is /dev/fuse, by way of *relay* if there is one.

        The kernel withdraws a request whose sender is killed, perhaps between poll(2) and the read.
        A descriptor that does not block would make pyfuse3's read fail then, and each failure leaks
        a buffer of 1 MiB. So pyfuse3's descriptor blocks: its read returns with the next request,
        or when the alarm interrupts it.
        """
        self._relay = relay
        self.waiting.watch(descriptor)

    def start(self, task: Task) -> None:
        """Run *task* as soon as the loop runs."""
        self._running += 1
        self._ready.append(task)

    def run_at_once(self, task: Task) -> None:
        """Run *task* until it first waits, before the tasks that are ready."""
        self._running += 1
        self._step(task)

    def run(self, main: Task) -> None:
        """Run *main* and the tasks it starts until none is left. Raises what a task raises."""
        self.start(main)
        try:
            while self._running or self._spares:
                self._turn()
        finally:
            self.waiting.become_idle()

    def _turn(self) -> None:
        """Run one task, or wait until one can run."""
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
                # The job may have been seen before its wake-up came, which is taken away here.
                self._drain_finished()
        else:
            # No task is free to read, so this must not return because there is a request.
            self.waiting.for_job()
            self._drain_finished()

    def _await_request(self) -> bool:
        """Wait until there is a request for pyfuse3, and return True.

        Returns False if there is something else to do first.
        """
        while self.waiting.for_request(awake=not self._jobs_under_way):
            if self._relay is None or self._relay.pass_request():
                return True
            if self._ready or self._finished:
                break  # the relay has dealt with that request, and there is something else to do
        return False

    def _pass_answers(self) -> None:
        """Give the kernel what pyfuse3 has answered since the last call."""
        if self._relay is not None:
            self._relay.pass_answers()

    def _step(self, task: Task) -> None:
        """Run *task* until it waits, and put it where it belongs while it does."""
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
        """Tell whether the session can go on after *error*, which pyfuse3 has raised.

        It can go on after a want of memory, because somebody may give memory back. It can go on
        after ECONNABORTED, which a read gets when the file system goes away just then. The next
        read gets ENODEV, with which pyfuse3 ends the session in order.
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
        """Use a quiet moment; see Waiting. Returns the seconds until the next one, or None."""
        self.reserve.take_again()
        return self._housekeeping()

    def _drain_finished(self) -> None:
        """Make the tasks ready that have waited for the finished jobs."""
        self.waiting.take_wake_up()
        while self._finished:
            job = self._finished.popleft()
            job.done = True
            self._jobs_under_way -= 1
            self._ready.extend(job.waiters)
            job.waiters.clear()

    def _stand_apart(self) -> None:
        """Keep what the calling thread needs, and nothing that tells others that the server lives.

        The kernel cannot end a thread that waits for the answer to a request. If the server is
        killed meanwhile, the guardian learns that from the end of its pipe, and frees the thread.
        """
        keep_in_thread(self.waiting.descriptors)

    def _hand_back(self, job: Job[Any]) -> None:
        """Take note that *job* has run. Called in the thread that ran it."""
        self._finished.append(job)
        self.waiting.wake()
