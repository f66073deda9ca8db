"""``kheadersfs verify``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kheadersfs.cli.arguments import ARCHIVE, Parser, add_limits
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.output import report
from kheadersfs.cli.progress import progress_bar
from kheadersfs.cli.reading import read_confined
from kheadersfs.errors import KheadersfsError
from kheadersfs.reader import HeaderArchive, open_archive
from kheadersfs.verification import verify

if TYPE_CHECKING:
    from collections.abc import Callable


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "verify",
        "Read all of each ARCHIVE, and check it and its index.",
        ("kheadersfs verify kheaders.tar.xz", "one archive; the exit status tells"),
        ("kheadersfs verify /usr/lib/kheaders/*", "all of them, a line each"),
    )
    add_limits(arguments)
    arguments.add_argument("archives", metavar="ARCHIVE", nargs="+", help=ARCHIVE)
    return arguments


def run(arguments: list[str]) -> int:
    """Print a line per archive. Returns the exit status for the first one that is not good."""
    values = parser().parse(arguments)
    limits = parse_limits(values.limits)
    status = 0
    for path in values.archives:
        try:
            with (
                open_archive(path, limits=limits) as archive,
                progress_bar("verify", "files") as progress,
            ):
                read_confined([archive], partial(_verify, path, archive, progress))
        except KheadersfsError as error:
            report(error)
            status = status or error.exit_status
    return status


def _verify(path: str, archive: HeaderArchive, progress: Callable[[int, int], None]) -> None:
    result = verify(archive, progress)
    notes = [f"{result.inodes} members", f"{result.content_size} bytes"]
    notes.append("its index agrees" if result.indexed else "no index")
    if not result.checked:
        notes.append("but it carries no checksums, so damage need not show")
    if result.refused:
        notes.append(f"{result.refused} members refused")
    notes += [f"but {note}" for note in result.notes]
    print(f"{path}: good: {', '.join(notes)}")
