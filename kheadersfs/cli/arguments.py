"""The argument parser that all commands share."""

from __future__ import annotations

import argparse
from typing import NoReturn

from kheadersfs.errors import UsageError


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
