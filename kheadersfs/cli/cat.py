"""``kheadersfs cat``."""

from __future__ import annotations

import sys

from kheadersfs.cli.arguments import ARCHIVE, Parser, add_limits, add_release
from kheadersfs.cli.opening import open_first
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.progress import Progress, progress_line
from kheadersfs.cli.reading import read_confined, report_notes
from kheadersfs.reader import HeaderArchive


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "cat",
        "Print the files at each PATH in ARCHIVE, one after the other.",
        ("kheadersfs cat kheaders.tar.xz include/linux/kconfig.h", "one header"),
        (
            "kheadersfs cat kheaders.tar.xz include/generated/autoconf.h | grep BPF",
            "how the kernel is configured",
        ),
    )
    add_release(arguments)
    add_limits(arguments)
    arguments.add_archive_option()
    arguments.add_argument("archive", metavar="ARCHIVE", help=ARCHIVE)
    arguments.add_argument(
        "paths", metavar="PATH", nargs="+", help="in the archive, as ls prints it"
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Write the files' bytes to standard output."""
    values = parser().parse(arguments)
    limits = parse_limits(values.limits)
    with (
        progress_line("cat", "B") as progress,
        open_first(
            values.archive, values.paths, limits, values.further, values.release, progress
        ) as archive,
    ):
        read_confined([archive], lambda: _write(archive, values.paths, progress))
    return 0


def _write(archive: HeaderArchive, paths: list[str], progress: Progress) -> None:
    for path in paths:
        content = archive.read(path)
        progress.erase()
        sys.stdout.buffer.write(content)
        sys.stdout.flush()  # the line of the next one may be on the same terminal
    report_notes([archive])
