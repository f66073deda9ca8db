"""``kheadersfs ls``."""

from __future__ import annotations

import stat
import time
from itertools import chain
from typing import TYPE_CHECKING

from kheadersfs.cli.arguments import ARCHIVE, Parser, add_json, add_limits, add_release
from kheadersfs.cli.entries import print_as_json
from kheadersfs.cli.opening import open_first
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.output import printable, write_line
from kheadersfs.cli.progress import Progress, progress_line
from kheadersfs.cli.reading import read_confined, report_notes
from kheadersfs.reader import Entry, HeaderArchive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "ls",
        "List what is in ARCHIVE, all of it or what is below each PATH.",
        ("kheadersfs ls -l kheaders.tar.xz include/linux", "one directory"),
        ("kheadersfs ls kheaders.tar.xz | grep bpf", "look for a header"),
    )
    arguments.add_argument("-l", "--long", action="store_true", help="with mode, links, size, time")
    add_json(arguments)
    add_release(arguments)
    add_limits(arguments)
    arguments.add_archive_option()
    arguments.add_argument("archive", metavar="ARCHIVE", help=ARCHIVE)
    arguments.add_argument(
        "paths", metavar="PATH", nargs="*", default=["."], help="in the archive, as ls prints it"
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Print one line per entry."""
    values = parser().parse(arguments)
    limits = parse_limits(values.limits)
    with (
        progress_line("ls", "B") as progress,
        open_first(
            values.archive, values.paths, limits, values.further, values.release, progress
        ) as archive,
    ):
        show = _show_in_words(values.long)
        if values.json:
            show = print_as_json
        read_confined([archive], lambda: _list(archive, values.paths, show, progress))
    return 0


def _list(
    archive: HeaderArchive,
    paths: list[str],
    show: Callable[[Iterable[Entry]], None],
    progress: Progress,
) -> None:
    _ = archive.tree  # takes what time there is to take
    progress.erase()
    show(chain.from_iterable(map(archive.below, paths)))
    report_notes([archive])


def _show_in_words(long: bool) -> Callable[[Iterable[Entry]], None]:
    def show(entries: Iterable[Entry]) -> None:
        for entry in entries:
            write_line(_long(entry) if long else printable(entry.path))

    return show


def _long(entry: Entry) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.mtime // 1_000_000_000))
    line = (
        f"{stat.filemode(entry.mode)} {entry.links:3} {entry.size:9} {when} {printable(entry.path)}"
    )
    return line if entry.target is None else f"{line} -> {printable(entry.target)}"
