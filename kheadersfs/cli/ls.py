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
from kheadersfs.cli.output import printer, write_lines
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
    show = print_as_json if values.json else _show_long if values.long else None
    with (
        progress_line("ls", "B") as progress,
        open_first(
            values.archive, values.paths, limits, values.further, values.release, progress
        ) as archive,
    ):
        read_confined([archive], lambda: _list(archive, values.paths, show, progress))
    return 0


def _list(
    archive: HeaderArchive,
    paths: list[str],
    show: Callable[[Iterable[Entry]], None] | None,
    progress: Progress,
) -> None:
    """Show the entries at *paths* and below, or where there is no *show* their paths alone."""
    _ = archive.tree  # takes what time there is to take
    progress.erase()
    if show is None:
        write_lines(map(printer(), chain.from_iterable(map(archive.paths_below, paths))))
    else:
        show(chain.from_iterable(map(archive.below, paths)))
    report_notes([archive])


def _show_long(entries: Iterable[Entry]) -> None:
    shown = printer()
    write_lines(_long(entry, shown) for entry in entries)


def _long(entry: Entry, shown: Callable[[str], str]) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.mtime // 1_000_000_000))
    mode = stat.filemode(entry.mode)
    line = f"{mode} {entry.links:3} {entry.size:9} {when} {shown(entry.path)}"
    return line if entry.target is None else f"{line} -> {shown(entry.target)}"
