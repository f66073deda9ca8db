"""A progress bar on a terminal, nothing in a pipe; the only importer of tqdm."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that is called with how much is done and how much there is.

    It draws on standard error if that is a terminal and tqdm is installed.
    """
    bar = None
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            bar = None
        else:
            bar = tqdm(desc=what, unit=unit, leave=False)

    def show(done: int, total: int) -> None:
        if bar is not None:
            bar.total = total
            bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
