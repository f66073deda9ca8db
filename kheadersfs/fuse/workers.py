"""Run in threads what takes so long that the next request must not wait for it."""

from __future__ import annotations

import threading
from collections import deque
from time import sleep
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

    Task = Coroutine[Any, Any, Any]

Result = TypeVar("Result")

SHORTAGE_PAUSE = 0.01
"""Seconds to wait for memory that somebody else may give back."""


class Job(Generic[Result]):
    """The outcome of a function that runs in a worker thread. Any number of tasks may await it."""

    __slots__ = ("_failure", "_function", "_result", "_traceback", "done", "has_run", "waiters")

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._result: Result
        self._failure: BaseException | None = None
        self._traceback: TracebackType | None = None
        self.has_run = False
        self.done = False
        self.waiters: list[Task] = []

    def run(self) -> None:
        """Call the function. What it raises is kept for those who wait, not lost in a thread."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again in every task that awaits
            if isinstance(error, (KheadersfsError, MemoryError)):
                _forget_frames(error)
            self._failure, self._traceback = error, error.__traceback__
        self.has_run = True

    def fail(self, error: MemoryError) -> None:
        """Have *error* raised where the function's outcome is awaited, which is not called."""
        self._failure, self.has_run = error, True

    def __await__(self) -> Generator[Job[Result], None, Result]:
        if not self.done:
            yield self
        if self._failure is not None:
            # All who wait are given the same exception, and each raise would add to its traceback.
            raise self._failure.with_traceback(self._traceback)
        return self._result


def _forget_frames(error: BaseException | None) -> None:
    """Let go of what the functions had that *error* passed through, perhaps all of an archive.

    What is expected says all in its message, and is kept for as long as somebody may ask.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Workers:
    """Threads that run jobs. What they guarantee:

    - Every job is run once, and then handed to ``finished`` once, whatever it raises.
    - A job that a request waits for is begun before all that are done ahead.
    - ``finished`` is called in the thread that ran the job. It must not block.
    - Where no thread can be started, ``submit`` runs what is queued before it returns; with
      *may_block* nothing is run, and who awaits a job gets MemoryError.
    - ``submit`` and ``hurry`` may be called in any thread. They never wait for a job to end.
    """

    def __init__(
        self, threads: int, finished: Callable[[Job[Any]], None], may_block: bool = False
    ) -> None:
        self._threads = threads
        self._may_block = may_block
        self._finished = finished
        self._started = 0
        self._idle = 0
        self._urgent: deque[Job[Any]] = deque()
        self._ahead: deque[Job[Any]] = deque()
        self._changed = threading.Condition()

    def submit(self, job: Job[Any], ahead: bool = False) -> None:
        """Queue *job*."""
        with self._changed:
            (self._ahead if ahead else self._urgent).append(job)
            # A thread that was notified counts as idle until it runs, and a job waits for it
            # already. So a job for each idle thread is no reason to start another.
            queued = len(self._urgent) + len(self._ahead)
            if queued > self._idle and self._started < self._threads:
                self._started += self._start_thread()
            self._changed.notify()
            alone = self._started == 0
        if alone:
            self._run_all()

    def _start_thread(self) -> bool:
        """Start a thread, if memory and the limit on the user's threads permit one more."""
        try:
            threading.Thread(target=self._work, name="decode", daemon=True).start()
        except (RuntimeError, MemoryError):
            return False
        return True

    def _run_all(self) -> None:
        """Run what is queued in this thread, because there is no other."""
        while self._urgent or self._ahead:
            job = (self._urgent or self._ahead).popleft()
            if self._may_block:
                job.fail(MemoryError())
            else:
                job.run()
            self._finished(job)

    def hurry(self, job: Job[Any]) -> None:
        """Put *job* before all that are done ahead, if it is still among them."""
        with self._changed:
            if job in self._ahead:
                self._ahead.remove(job)
                self._urgent.append(job)

    def _work(self) -> None:
        """Run jobs for ever. Somebody waits for each, so a want of memory is only waited out."""
        job: Job[Any] | None = None
        while True:
            try:
                job = job or self._next()
                if not job.has_run:
                    job.run()
                self._finished(job)
                job = None
            except MemoryError:
                sleep(SHORTAGE_PAUSE)

    def _next(self) -> Job[Any]:
        """Wait for a job and take it."""
        with self._changed:
            self._idle += 1
            try:
                while not self._urgent and not self._ahead:
                    self._changed.wait()
                return (self._urgent or self._ahead).popleft()
            finally:
                self._idle -= 1
