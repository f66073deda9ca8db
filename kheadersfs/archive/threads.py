"""A thread pool that reports an exhausted system as an error with advice."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from kheadersfs.bare import TypeVar
from kheadersfs.errors import KheadersfsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Result = TypeVar("Result")


class ThreadPool(ThreadPoolExecutor):
    """A pool of threads. Starting one may fail: RLIMIT_NPROC counts all threads of a user."""

    def submit(
        self, function: Callable[..., Result], /, *arguments: Any, **keywords: Any
    ) -> Future[Result]:
        """See Executor.submit. Raises KheadersfsError when no thread can be started for it."""
        try:
            return super().submit(function, *arguments, **keywords)
        except RuntimeError as error:
            raise KheadersfsError(
                f"cannot work in parallel: {error}; "
                "let its user have more processes (ulimit -u) or memory (ulimit -v)"
            ) from error
