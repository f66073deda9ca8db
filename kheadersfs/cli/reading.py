"""Read archives for commands, in a child process that can do nothing but compute and print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.cli.output import report
from kheadersfs.limits import DEFAULT_BUDGET
from kheadersfs.sandbox.confined import Confined

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.reader import HeaderArchive


def report_notes(archives: list[HeaderArchive]) -> None:
    """Say on standard error what is odd about *archives*, which were read."""
    for archive in archives:
        for note in archive.notes:
            report(f"{archive.archive.source.name}: {note}")


def read_confined(
    archives: list[HeaderArchive], read: Callable[[], None], budget: int = DEFAULT_BUDGET
) -> None:
    """Call *read*, which may read *archives* and write to what is open, in a child without rights.

    *budget* is how many bytes *read* means to hold. Raises the KheadersfsError that *read* raises.
    """

    def call() -> bytes:
        read()
        return b""

    ask_confined(archives, call, budget)


def ask_confined(
    archives: list[HeaderArchive], ask: Callable[[], bytes], budget: int = DEFAULT_BUDGET
) -> bytes:
    """Return what *ask* returns, called like *read* of read_confined().

    The archive may have forged the answer. Raises the KheadersfsError that *ask* raises.
    """

    def prepare() -> None:
        for archive in archives:
            archive.prepare()

    return Confined(archives[0].archive.source.name, prepare, ask, budget).result()
