"""Printing names that may hold anything."""

from __future__ import annotations

import os
import sys

from kheadersfs.errors import KheadersfsError, escaped


def printable(name: str) -> str:
    """Return *name* for a terminal: with control characters escaped, so that none takes effect.

    In a pipe it stays as it is, for the program that reads it.
    """
    return escaped(name) if sys.stdout.isatty() else name


def size(count: int) -> str:
    """Return *count* bytes for people."""
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / (1 << 10):.1f} KiB"


def report(what: KheadersfsError | str) -> None:
    """Say on standard error what went wrong or is odd, in one line whatever names are in it."""
    print(f"kheadersfs: {escaped(str(what))}", file=sys.stderr)


def write_line(line: str) -> None:
    """Print *line*, names in it byte for byte as the archive has them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(line) + b"\n")
