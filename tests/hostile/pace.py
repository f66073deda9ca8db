"""Time for runs of hours, which may be stopped and continued as a whole, and say how they get on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

PATIENCE = 20.0
"""Seconds of running after which something that should have happened has not."""
PROGRESS_INTERVAL = 60.0
_LONGEST_STEP = 1.0
_POLL_INTERVAL = 0.005


class RunningTime:
    """Seconds in which this process ran; those in which a signal had stopped it do not count.

    The kernel tells no one when a process was stopped, but between two looks at the clock that
    are meant to be close together, more than a second can hardly be anything else.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._elapsed = 0.0

    def elapsed(self) -> float:
        """Return the seconds so far; to be called at least every second."""
        now = time.monotonic()
        self._elapsed += min(now - self._last, _LONGEST_STEP)
        self._last = now
        return self._elapsed


def await_that(condition: Callable[[], bool]) -> bool:
    """Wait until *condition* holds, for PATIENCE at most. Returns whether it ever did."""
    waiting = RunningTime()
    while not condition():
        if waiting.elapsed() > PATIENCE:
            return False
        time.sleep(_POLL_INTERVAL)
    return True


class Progress:
    """Says how far a run has come, once a minute."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._next = time.monotonic() + PROGRESS_INTERVAL

    def tell(self, text: str) -> None:
        """Say *text* if it is time to."""
        if time.monotonic() >= self._next:
            self._say(f"{time.strftime('%H:%M:%S')} {text}")
            self._next = time.monotonic() + PROGRESS_INTERVAL
