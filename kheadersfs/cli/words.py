"""Arguments that need no parser."""

from __future__ import annotations


def plain_words(arguments: list[str], most: int) -> list[str] | None:
    """Return *arguments* if they are no more than *most* and none is an option; None otherwise.

    argparse would return the same after 7 ms, which is as long as the interpreter takes to start.
    """
    if len(arguments) > most or any(word.startswith("-") for word in arguments):
        return None
    return arguments
