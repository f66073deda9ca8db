"""Print messages and names, which may hold anything."""

from __future__ import annotations

import os
import sys

from kheadersfs.errors import KheadersfsError, escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def printable(name: str) -> str:
    """Return *name* for a terminal: with control characters escaped, so that none takes effect.

    In a pipe it stays as it is, for the program that reads it.
    """
    return printer()(name)


def printer() -> Callable[[str], str]:
    """Return what printable() does with a name, which does not look where it goes for each."""
    return escaped if sys.stdout.isatty() else str


def size(count: int) -> str:
    """Return *count* bytes for people."""
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / (1 << 10):.1f} KiB"


def report(what: KheadersfsError | str) -> None:
    """Say on standard error what went wrong or is odd, in one line whatever names are in it."""
    print(f"kheadersfs: {escaped(str(what))}", file=sys.stderr)


def write_line(line: str) -> None:
    """Print *line*, names in it byte for byte as the archive has them."""
    write_lines((line,))


def write_lines(lines: Iterable[str]) -> None:
    """Print *lines* as they come; see write_line()."""
    sys.stdout.flush()
    write = sys.stdout.buffer.write
    for line in lines:
        write(os.fsencode(line) + b"\n")
