"""Printing names that may hold anything."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.errors import KheadersfsError


def printable(name: str) -> str:
    """Return *name* for a terminal: with control characters escaped, so that none takes effect.

    In a pipe it stays as it is, for the program that reads it.
    """
    return escaped(name) if sys.stdout.isatty() else name


def escaped(text: str) -> str:
    """Return *text* with everything escaped that is not for printing."""
    if text.isprintable():
        return text
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte of a name that is no text
        return f"\\x{ord(character) & 0xFF:02x}"
    return ascii(character)[1:-1]


def report(error: KheadersfsError) -> None:
    """Say on standard error what went wrong, in one line whatever names are in it."""
    print(f"kheadersfs: {escaped(str(error))}", file=sys.stderr)


def write_line(line: str) -> None:
    """Print *line*, names in it byte for byte as the archive has them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(line) + b"\n")
