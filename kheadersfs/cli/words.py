"""Read simple command lines without a parser, whose import takes milliseconds."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kheadersfs.errors import ArchiveUnavailable


def first_of(error: ArchiveUnavailable, what: str, others: Iterable[str]) -> ArchiveUnavailable:
    """Return *error*, of opening what should be *what*, with a hint if it seems to come later."""
    later = next(filter(os.path.isfile, others), None)
    return error if later is None else type(error)(f"{error}; {what} comes first: is it {later}?")


def plain_words(arguments: list[str], most: int) -> list[str] | None:
    """Return *arguments* if they are no more than *most* and none is an option; None otherwise.

    argparse would return the same after 7 ms, which is as long as the interpreter takes to start.
    """
    if len(arguments) > most or any(word.startswith("-") for word in arguments):
        return None
    return arguments


def plain_command(arguments: list[str]) -> tuple[list[str] | None, list[str]] | None:
    """Return the archives and the command if *arguments* are no more than these; None otherwise.

    That is ``[--archive ARCHIVE] [--] COMMAND [ARGUMENT ...]``.
    """
    archives = None
    if len(arguments) > 2 and arguments[0] == "--archive" and not arguments[1].startswith("-"):
        archives, arguments = [arguments[1]], arguments[2:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    elif not arguments or arguments[0].startswith("-"):
        return None
    return archives, arguments
