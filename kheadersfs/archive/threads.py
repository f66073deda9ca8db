"""A thread pool that reports an exhausted system as an error with advice, and help for its threads
to get the interpreter.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from kheadersfs.bare import TypeVar
from kheadersfs.errors import KheadersfsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

SWITCH_INTERVAL = 0.0002
"""Seconds for which a thread may keep the interpreter while another waits for it, in the block of
sharing_soon(). Python's own are 0.005."""

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


@contextmanager
def sharing_soon() -> Iterator[None]:
    """Have threads share the interpreter in shorter turns, for the duration of the block.

    A thread that decodes needs it after each piece, and otherwise waits for the one that reads
    headers meanwhile. With this the kernel's own archive takes 433 ms to read instead of 544.
    """
    before = sys.getswitchinterval()
    if before <= SWITCH_INTERVAL:  # in the block of another thread, which ends it
        yield
        return
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
