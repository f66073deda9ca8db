"""Run functions in worker threads when they take too long for the thread that answers requests."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread  # threading itself takes 5 ms
from time import sleep

from kheadersfs.bare import Generic, SimpleQueue, TypeVar, deque
from kheadersfs.errors import KheadersfsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType
    from typing import Any

    Task = Coroutine[Any, Any, Any]

Result = TypeVar("Result")

SHORTAGE_PAUSE = 0.01
"""Seconds to wait for somebody to give memory back before trying again."""


class Job(Generic[Result]):
    """A function to run in a worker thread, and its outcome. Any number of tasks may await it.

    A worker thread calls ``run`` or ``fail``, which set ``has_run``. Later the loop's thread sets
    ``done`` and resumes the ``waiters``; only that thread uses either.
    """

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
        """Call the function. Keeps what it returns or raises for the tasks that await the job."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again in every task that awaits
            if isinstance(error, (KheadersfsError, MemoryError)):
                _forget_frames(error)
            self._failure, self._traceback = error, error.__traceback__
        self.has_run = True

    def fail(self, error: MemoryError) -> None:
        """Do not call the function, and have *error* raised where the job is awaited."""
        self._failure, self.has_run = error, True

    def __await__(self) -> Generator[Job[Result], None, Result]:
        if not self.done:
            yield self
        if self._failure is not None:
            # All tasks get the same exception, and each raise would lengthen its traceback.
            raise self._failure.with_traceback(self._traceback)
        return self._result


def _forget_frames(error: BaseException | None) -> None:
    """Take the tracebacks from *error* and its causes.

    An expected error is kept as long as the mount lives, and its message says all. Its traceback
    would keep the local variables of the functions that it has passed through, perhaps a whole
    archive.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class Workers:
    """At most *threads* threads that run jobs. They are started as they are needed.

    What they guarantee:

    - Every job is run once, and then *finished* is called with it once, whatever it raises.
    - A job that a request waits for is begun before all jobs that are submitted ahead.
    - *finished* is called in the thread that ran the job. It must not block.
    - Where no thread can be started, ``submit`` itself runs what is queued, before it returns. With
      *may_block* it runs nothing, because the calling thread must not block: the jobs fail with
      MemoryError.
    - Each thread calls *begin*, if there is one, before its first job.
    - ``submit`` and ``hurry`` may be called in any thread. They wait for no job that another thread
      runs.
    """

    def __init__(
        self,
        threads: int,
        finished: Callable[[Job[Any]], None],
        may_block: bool = False,
        begin: Callable[[], None] | None = None,
    ) -> None:
        self._threads = threads
        self._may_block = may_block
        self._begin = begin
        self._finished = finished
        self._started = 0
        self._idle = 0
        """How many threads wait for a wake-up that has not been sent."""
        self._urgent: deque[Job[Any]] = deque()
        self._ahead: deque[Job[Any]] = deque()
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._lock = allocate_lock()

    def submit(self, job: Job[Any], ahead: bool = False) -> None:
        """Queue *job*; with *ahead*, behind all jobs that are not ahead."""
        with self._lock:
            if self._idle:
                self._wake_ups.put(None)
                self._idle -= 1
            elif self._started < self._threads:
                self._started += self._start_thread()
            (self._ahead if ahead else self._urgent).append(job)
            alone = self._started == 0
        if alone:
            self._run_all()

    def _start_thread(self) -> bool:
        """Start a thread. Returns False if memory or the limit on the user's threads forbids it."""
        try:
            start_new_thread(self._work, ())
        except (RuntimeError, MemoryError):
            return False
        return True

    def _run_all(self) -> None:
        """Run all queued jobs in this thread, or let them fail if they may block."""
        while self._urgent or self._ahead:
            job = (self._urgent or self._ahead).popleft()
            if self._may_block:
                job.fail(MemoryError())
            else:
                job.run()
            self._finished(job)

    def hurry(self, job: Job[Any]) -> None:
        """Queue *job* as one that a request waits for, if it is still queued as one ahead."""
        with self._lock:
            if job in self._ahead:
                self._ahead.remove(job)
                self._urgent.append(job)

    def _work(self) -> None:
        """Run jobs for ever. Each must be handed back, so a MemoryError here is retried."""
        begin = self._begin
        job: Job[Any] | None = None
        while True:
            try:
                if begin is not None:
                    begin()
                    begin = None
                job = job or self._next()
                if not job.has_run:
                    job.run()
                self._finished(job)
                job = None
            except MemoryError:
                sleep(SHORTAGE_PAUSE)

    def _next(self) -> Job[Any]:
        """Take a job, and wait for one if there is none."""
        while True:
            with self._lock:
                if self._urgent or self._ahead:
                    return (self._urgent or self._ahead).popleft()
                self._idle += 1
            self._wake_ups.get()
