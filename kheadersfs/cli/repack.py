"""``kheadersfs repack``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.cli.arguments import ARCHIVE, OUTPUT, Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.progress import progress_bar
from kheadersfs.cli.writing import write_confined
from kheadersfs.pack.repacking import repack
from kheadersfs.reader import open_archive

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "repack",
        "Write what is in the archive IN to OUT, in blocks and with an index, so that it is read "
        "without being decompressed as a whole. Nothing but the owners is lost.",
    )
    add_form(arguments)
    add_limits(arguments)
    arguments.add_argument("input", metavar="IN", help=ARCHIVE)
    arguments.add_argument("output", metavar="OUT", help=OUTPUT)
    return arguments


def run(arguments: list[str]) -> int:
    """Write OUT, or leave it as it was."""
    values = parser().parse_args(arguments)
    form = chosen_form(values.format, values.compress, values.output)
    with (
        open_archive(values.input, limits=parse_limits(values.limits)) as archive,
        progress_bar("repack", "B") as progress,
    ):
        write_confined([archive], values.output, lambda file: repack(archive, file, form, progress))
    return 0
