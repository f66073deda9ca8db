"""Say on a terminal that a command waits, and how long it has; in a pipe nothing is said."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # the enumerations around it take 4 ms of every mount to import

ERASE = "\r\x1b[K"
"""Go to the start of the line and erase it (ECMA-48)."""


class EachSecond:
    """Calls *tell* with the number of each second in the block, if standard error is a terminal.

    It is called between two steps of the interpreter, also while a system call waits. Another one
    may have a block inside.
    """

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._seconds = 0
        self._is_on = os.isatty(2)

    def __enter__(self) -> None:
        if self._is_on:
            self._handler = signal.signal(signal.SIGALRM, self._pass)
            self._timer = signal.setitimer(signal.ITIMER_REAL, 1, 1)

    def __exit__(self, *_error: object) -> None:
        if self._is_on:
            signal.setitimer(signal.ITIMER_REAL, *self._timer)
            signal.signal(signal.SIGALRM, self._handler)

    def _pass(self, _number: int, _frame: object) -> None:
        self._seconds += 1
        self._tell(self._seconds)


class WaitingLine(EachSecond):
    """Shows in one line that the command *name* waits, once that is for a second, and erases it."""

    def __init__(self, name: str) -> None:
        super().__init__(lambda seconds: write(ERASE + in_words(name, seconds)))

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self._seconds:
            write(ERASE)


def in_words(name: str, seconds: int) -> str:
    """Return what to say of the command *name*, which has waited for so many *seconds*."""
    return f"{name}: waiting, {seconds} s"


def write(text: str) -> None:
    """Write *text* to standard error at once, also between two steps of writing to it."""
    os.write(2, text.encode())
