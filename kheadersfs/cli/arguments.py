"""The argument parser that all commands share."""

from __future__ import annotations

import argparse
from typing import NoReturn

from kheadersfs.errors import UsageError

FORMATS = ("tar", "cpio")
COMPRESSIONS = ("xz", "zstd", "gzip", "none")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are errors of ours: one line, exit status 2."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"kheadersfs {command}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def seconds(text: str) -> float:
    """Parse a number of seconds that is not negative."""
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def positive(text: str) -> int:
    """Parse a whole number above zero."""
    value = int(text)
    if value <= 0:
        raise ValueError(text)
    return value


def add_form(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how an archive is written."""
    parser.add_argument(
        "--format", choices=FORMATS, default="tar", help="what members are written as; tar"
    )
    parser.add_argument(
        "--compress",
        choices=COMPRESSIONS,
        default="xz",
        help="xz is smallest, zstd is read fastest; gzip and none are without blocks and index; xz",
    )
