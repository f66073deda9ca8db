"""The argument parser that all commands share."""

from __future__ import annotations

import argparse
from typing import NoReturn

from kheadersfs.errors import UsageError
from kheadersfs.limits import DEFAULT_LIMITS

ARCHIVE = "a tar or cpio of headers, plain or compressed"
OUTPUT = "the archive to write; a file that is there is replaced when the new one is complete"


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are errors of ours: one line, exit status 2."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"kheadersfs {command}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes limits; options.parse_limits() understands its values."""
    parser.add_argument(
        "--limit",
        dest="limits",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change how much an archive may be, in bytes, names or seconds; may be repeated. NAME "
        "is one of these, which the man page explains, with what holds otherwise: "
        + ", ".join(f"{name} ({limit})" for name, limit in DEFAULT_LIMITS._asdict().items()),
    )


def add_pins(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which archive it must be."""
    parser.add_argument(
        "--digest",
        metavar="sha256:HEX",
        help="refuse an archive unless this is the digest that kheadersfs info prints for it",
    )
    parser.add_argument(
        "--verify-key",
        metavar="FILE",
        help="refuse an archive without a good signature by the public key in FILE: "
        "ARCHIVE.minisig for a key of minisign, ARCHIVE.sig for one of ssh-keygen -Y sign -n file",
    )


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
