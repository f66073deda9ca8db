"""``kheadersfs repack``."""

from __future__ import annotations

from kheadersfs.cli.arguments import ARCHIVE, OUTPUT, Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.opening import open_followed
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.progress import progress_line
from kheadersfs.cli.writing import open_spool, write_confined
from kheadersfs.errors import UsageError
from kheadersfs.pack.merging import repack_fleet


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "repack",
        "Write what is in the archive IN to OUT, in blocks and with an index, so that reading a "
        "file does not decompress all of it. Only the owners are lost.",
        (
            "kheadersfs repack /sys/kernel/kheaders.tar.xz -o kheaders.tar.zst",
            "the running kernel's own archive",
        ),
        ("kheadersfs repack vendor.cpio.gz -o vendor.tar.xz", "another format, too"),
    )
    add_form(arguments)
    add_limits(arguments)
    arguments.add_archive_option("IN")
    arguments.add_argument("input", metavar="IN", help=ARCHIVE)
    arguments.add_argument("-o", "--output", metavar="OUT", help=OUTPUT)
    arguments.add_argument(
        "out", metavar="OUT", nargs="?", help="the archive to write, instead of -o OUT"
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Write OUT, or leave it as it was."""
    values = parser().parse(arguments)
    output = _output(values.output, values.out)
    form = chosen_form(values.format, values.compress, output)
    limits = parse_limits(values.limits)
    with (
        progress_line("repack", "B") as progress,
        open_followed(values.input, limits, values.further, progress) as archive,
        open_spool(output) as spool,
    ):
        write_confined(
            [archive], output, lambda file: repack_fleet(archive, file, form, progress, spool)
        )
    return 0


def _output(named: str | None, last: str | None) -> str:
    """Return OUT, which is given with -o or as the last word. Raises UsageError."""
    if named is not None and last is not None:
        raise UsageError(f"{last}: OUT is {named} already; see kheadersfs repack --help")
    output = last if named is None else named
    if output is None:
        raise UsageError("OUT is missing: -o OUT; see kheadersfs repack --help")
    return output
