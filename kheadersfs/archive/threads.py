"""Threads that work in parallel where somebody waits for all of them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class ThreadPool(ThreadPoolExecutor):
    """Threads, for which there may be no room: RLIMIT_NPROC counts all of a user's."""

    def submit(
        self, function: Callable[..., Result], /, *arguments: Any, **keywords: Any
    ) -> Future[Result]:
        """See Executor.submit. Raises KheadersfsError when there is no thread for it."""
        try:
            return super().submit(function, *arguments, **keywords)
        except RuntimeError as error:
            raise KheadersfsError(
                f"cannot work in parallel: {error}; "
                "let its user have more processes (ulimit -u) or memory (ulimit -v)"
            ) from error
