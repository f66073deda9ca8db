"""``kheadersfs verify``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from kheadersfs.cli.arguments import ARCHIVE, Parser, add_json, add_limits
from kheadersfs.cli.opening import open_followed
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.output import report, write_line
from kheadersfs.cli.progress import progress_line
from kheadersfs.cli.reading import ask_confined
from kheadersfs.errors import KheadersfsError
from kheadersfs.verification import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.limits import Limits
    from kheadersfs.verification import Verified


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "verify",
        "Read all of each ARCHIVE, and check it and its index.",
        ("kheadersfs verify kheaders.tar.xz", "one archive; the exit status tells"),
        ("kheadersfs verify /usr/lib/kheaders/*", "all of them, a line each"),
    )
    add_json(arguments)
    add_limits(arguments)
    arguments.add_archive_option(several=True)
    arguments.add_argument("archives", metavar="ARCHIVE", nargs="+", help=ARCHIVE)
    return arguments


def run(arguments: list[str]) -> int:
    """Print what is found of each. Returns the exit status of the first one that is not good."""
    values = parser().parse(arguments)
    limits = parse_limits(values.limits)
    if values.json:
        return _verify_for_programs(values.archives, limits)
    status = 0
    for path in values.archives:
        try:
            write_line(f"{path}: {os.fsdecode(_verify(path, limits, _in_words))}")
        except KheadersfsError as error:
            report(error)
            status = status or error.exit_status
    return status


def _verify_for_programs(paths: list[str], limits: Limits) -> int:
    """Print a JSON array with an object for each archive; its status is 0 if it is good."""

    def as_json(result: Verified) -> str:
        return json.dumps(_facts(result))

    found: list[dict[str, object]] = []
    status = 0
    for path in paths:
        try:
            answer = _verify(path, limits, as_json)
            found.append({"archive": path, "status": 0, **json.loads(answer)})
        except KheadersfsError as error:
            found.append({"archive": path, "status": error.exit_status, "error": str(error)})
            status = status or error.exit_status
    print(json.dumps(found, indent=2))
    return status


def _verify(path: str, limits: Limits, tell: Callable[[Verified], str]) -> bytes:
    """Return what *tell* says of the archive at *path*. Raises KheadersfsError for a bad one."""
    with (
        progress_line("verify", "files") as progress,
        open_followed(path, limits, (), progress) as archive,
    ):
        return ask_confined([archive], lambda: os.fsencode(tell(verify(archive, progress))))


def _facts(result: Verified) -> dict[str, object]:
    """Return *result* in the words of ``info --json``."""
    return {
        "members": result.inodes,
        "content_size": result.content_size,
        "indexed": result.indexed,
        "checksums": result.checked,
        "refused": result.refused,
        "notes": result.notes,
    }


def _in_words(result: Verified) -> str:
    notes = [f"{result.inodes} members", f"{result.content_size} bytes"]
    notes.append("its index agrees" if result.indexed else "no index")
    if not result.checked:
        notes.append("but it carries no checksums, so damage need not show")
    if result.refused:
        notes.append(f"{result.refused} members refused")
    notes += [f"but {note}" for note in result.notes]
    return f"good: {', '.join(notes)}"
