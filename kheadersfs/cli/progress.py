"""Show on a terminal, in one line, how far a command is. In a pipe nothing is shown."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERVAL = 0.1
"""Seconds from one line to the next."""
_ERASE = "\r\x1b[K"
"""Go to the start of the line and erase it (ECMA-48)."""


class Progress:
    """Is called with how much is done and how much there is. This one says nothing of it."""

    is_shown = False
    """Whether somebody sees it."""

    def __call__(self, done: int, total: int) -> None:
        """Take note that *done* of *total* is done."""

    def erase(self) -> None:
        """Make room for what is written next."""


class _Line(Progress):
    """Writes to standard error, also from a child that may do nothing else."""

    is_shown = True

    def __init__(self, what: str, unit: str) -> None:
        # Nothing of this can be imported in such a child, and a pipe needs none of it.
        from mmap import mmap
        from shutil import get_terminal_size
        from time import monotonic

        self._what = what
        self._unit = unit
        self._width = get_terminal_size().columns - 1
        self._now = monotonic
        self._due = monotonic()
        # A child that has written the line tells who has to erase it.
        self._written = mmap(-1, 1)

    def __call__(self, done: int, total: int) -> None:
        now = self._now()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._written[0] = 1
            self._write(_ERASE + _in_words(self._what, self._unit, done, total)[: self._width])

    def erase(self) -> None:
        if self._written[0]:
            self._written[0] = 0
            self._write(_ERASE)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def progress_line(what: str, unit: str) -> Iterator[Progress]:
    """Yield what shows how far it is, if standard error is a terminal, and erase it at the end.

    *unit* is what is counted, "B" for bytes.
    """
    progress = _Line(what, unit) if sys.stderr.isatty() else Progress()
    try:
        yield progress
    finally:
        progress.erase()


def _in_words(what: str, unit: str, done: int, total: int) -> str:
    percent = f"{what}: {100 * done // max(total, 1)} %"
    if unit == "B":
        return f"{percent} of {total / (1 << 20):.1f} MiB"
    return f"{percent} of {total} {unit}"
