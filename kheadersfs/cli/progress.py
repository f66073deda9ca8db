"""A line on a terminal that says how far a command is; nothing in a pipe."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_INTERVAL = 0.1
"""Seconds from one line to the next."""
_ERASE = "\r\x1b[K"
"""ECMA-48: to the start of the line, and erase it."""


@contextmanager
def progress_line(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that is called with how much is done and how much there is.

    It writes to standard error if that is a terminal, also from a child that may do nothing else.
    *unit* is what is counted, "B" for bytes.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    width = shutil.get_terminal_size().columns - 1
    due = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + _INTERVAL
            sys.stderr.write(_ERASE + _line(what, unit, done, total)[:width])
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


def _line(what: str, unit: str, done: int, total: int) -> str:
    percent = f"{what}: {100 * done // max(total, 1)} %"
    if unit == "B":
        return f"{percent} of {total / (1 << 20):.1f} MiB"
    return f"{percent} of {total} {unit}"
