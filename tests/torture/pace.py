"""Time for runs of hours, which may be stopped and continued as a whole, and tell of progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


def growth(samples: Sequence[int]) -> int:
    """Return by how much the smallest of the last quarter of *samples* exceeds that of the first.

    The smallest, because what others hold for a while does not count. Of no samples it is 0.
    """
    quarter = -(-len(samples) // 4)
    if not quarter:
        return 0
    return min(samples[-quarter:]) - min(samples[:quarter])


class Journal:
    """Says at once what a run finds wrong, and once a minute how far it has come.

    ``faults`` is all that was wrong.
    """

    def __init__(self, say: Say) -> None:
        self.faults: list[str] = []
        self.say = say
        self._next = time.monotonic() + PROGRESS_INTERVAL

    def note(self, what: str, faults: Iterable[str]) -> None:
        """Note that in *what* these were the *faults*."""
        for fault in faults:
            self.faults.append(f"{what}: {fault}")
            self.say(self.faults[-1])

    def tell(self, text: str) -> None:
        """Say *text* if it is time to."""
        if time.monotonic() >= self._next:
            self.say(f"{time.strftime('%H:%M:%S')} {text}: {len(self.faults)} faults")
            self._next = time.monotonic() + PROGRESS_INTERVAL
