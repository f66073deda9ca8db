"""Show on a terminal, in one line, how far a command is. In a pipe nothing is shown."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kheadersfs.cli.waiting import ERASE, EachSecond, in_words, write

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERVAL = 0.1
"""Seconds from one line to the next."""
_SHOWN, _TOLD = 0, 1
"""Whether the line is on the terminal; whether somebody has told how far it is."""


class Progress:
    """Is called with how much is done and how much there is. This one says nothing of it.

    What comes before that is told to ``fetched`` and ``read``.
    """

    is_shown = False
    """Whether somebody sees it."""

    def __call__(self, done: int, total: int) -> None:
        """Take note that *done* of *total* is done."""

    def fetched(self, done: int, total: int) -> None:
        """Take note that *done* of *total* bytes of an archive have been fetched."""

    def read(self, done: int, total: int) -> None:
        """Take note that *done* of *total* bytes of an archive have been read."""

    def erase(self) -> None:
        """Make room for what is written next."""


class _Line(Progress):
    """Writes to standard error, also from a child that may do nothing else."""

    is_shown = True

    def __init__(self, what: str, unit: str) -> None:
        # None of these can be imported in such a child, and a pipe needs none of it.
        from mmap import mmap
        from shutil import get_terminal_size
        from time import monotonic

        self._what = what
        self._unit = unit
        self._width = get_terminal_size().columns - 1
        self._now = monotonic
        self._due = monotonic()
        self._has_begun = False
        # A child that has written the line tells who has to erase it, and that nobody waits.
        self._state = mmap(-1, 2)

    def __call__(self, done: int, total: int) -> None:
        self._has_begun = True
        self._tell(f"{self._what}: ", done, total, self._unit)

    def fetched(self, done: int, total: int) -> None:
        if not self._has_begun:
            self._tell(f"{self._what}: fetched ", done, total, "B")

    def read(self, done: int, total: int) -> None:
        if not self._has_begun:
            self._tell(f"{self._what}: read ", done, total, "B")

    def wait(self, seconds: int) -> None:
        """Show that nobody has told anything for so many seconds, if that is so."""
        if not self._state[_TOLD]:
            self._show(in_words(self._what, seconds))

    def erase(self) -> None:
        self._state[_TOLD] = 1
        if self._state[_SHOWN]:
            self._state[_SHOWN] = 0
            write(ERASE)

    def _tell(self, what: str, done: int, total: int, unit: str) -> None:
        self._state[_TOLD] = 1
        now = self._now()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._show(what + _share(done, total, unit))

    def _show(self, text: str) -> None:
        self._state[_SHOWN] = 1
        write(ERASE + text[: self._width])


@contextmanager
def progress_line(what: str, unit: str) -> Iterator[Progress]:
    """Yield what shows how far it is, if standard error is a terminal, and erase it at the end.

    *unit* is what is counted, "B" for bytes.
    """
    if not sys.stderr.isatty():
        yield Progress()
        return
    line = _Line(what, unit)
    try:
        with EachSecond(line.wait):
            yield line
    finally:
        line.erase()


def _share(done: int, total: int, unit: str) -> str:
    """Return *done* of *total* for people."""
    percent = f"{100 * done // max(total, 1)} %"
    if unit == "B":
        return f"{percent} of {total / (1 << 20):.1f} MiB"
    return f"{percent} of {total} {unit}"
