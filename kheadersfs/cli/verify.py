"""``kheadersfs verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.api import open_archive
from kheadersfs.cli.arguments import Parser
from kheadersfs.cli.progress import progress_bar
from kheadersfs.verification import verify

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser("verify", "Read all of each ARCHIVE, and check it and its index.")
    arguments.add_argument("archives", metavar="ARCHIVE", nargs="+")
    return arguments


def run(arguments: list[str]) -> int:
    """Print a line per archive. Stops at the first that is damaged."""
    for path in parser().parse_args(arguments).archives:
        with open_archive(path) as archive, progress_bar("verify", "files") as progress:
            result = verify(archive, progress)
        notes = [f"{result.inodes} members", f"{result.content_size} bytes"]
        notes.append("its index agrees" if result.indexed else "no index")
        if not result.checked:
            notes.append("but it carries no checksums, so damage need not show")
        if result.refused:
            notes.append(f"{result.refused} members refused")
        print(f"{path}: good: {', '.join(notes)}")
    return 0
