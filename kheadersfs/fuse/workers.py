"""Threads for what takes longer than a request may hold up the next one."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    Task = Coroutine[Any, Any, Any]

Result = TypeVar("Result")


class Job(Generic[Result]):
    """The outcome of a function that runs in a worker thread. Any number of tasks may await it."""

    __slots__ = ("_failure", "_function", "_result", "done", "waiters")

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._result: Result
        self._failure: BaseException | None = None
        self.done = False
        self.waiters: list[Task] = []

    def run(self) -> None:
        """Call the function. What it raises is kept for those who wait, not lost in a thread."""
        try:
            self._result = self._function()
        except BaseException as error:  # noqa: BLE001 - raised again in every task that awaits
            self._failure = error

    def __await__(self) -> Generator[Job[Result], None, Result]:
        if not self.done:
            yield self
        if self._failure is not None:
            # Each raise would add to the one traceback that all who wait share.
            raise self._failure.with_traceback(None)
        return self._result


class Workers:
    """Threads that run jobs; those that a request waits for come before those done ahead."""

    def __init__(self, threads: int, finished: Callable[[Job[Any]], None]) -> None:
        self._threads = threads
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
            if self._idle == 0 and self._started < self._threads:
                self._started += 1
                threading.Thread(target=self._work, name="decode", daemon=True).start()
            self._changed.notify()

    def hurry(self, job: Job[Any]) -> None:
        """Put *job* before all that are done ahead, if it is still among them."""
        with self._changed:
            if job in self._ahead:
                self._ahead.remove(job)
                self._urgent.append(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._urgent and not self._ahead:
                    self._changed.wait()
                self._idle -= 1
                job = (self._urgent or self._ahead).popleft()
            job.run()
            self._finished(job)
