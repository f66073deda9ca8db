"""Printing names that may hold anything."""

from __future__ import annotations

import os
import sys


def printable(name: str) -> str:
    """Return *name* for a terminal: with control characters escaped, so that none takes effect.

    In a pipe it stays as it is, for the program that reads it.
    """
    if not sys.stdout.isatty():
        return name
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in name
    )


def write_line(line: str) -> None:
    """Print *line*, names in it byte for byte as the archive has them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(line) + b"\n")
