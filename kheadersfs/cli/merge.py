"""``kheadersfs merge``."""

from __future__ import annotations

import os
from contextlib import ExitStack

from kheadersfs.cli.arguments import OUTPUT, Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.progress import progress_bar
from kheadersfs.cli.writing import open_spool, write_confined
from kheadersfs.errors import UsageError
from kheadersfs.pack.gathering import Source
from kheadersfs.pack.merging import merge
from kheadersfs.reader import open_archive

# Decoded bytes to hold of each input: it is read from front to back.
_BUDGET = 1 << 20


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "merge",
        "Write the kernels in several archives to OUT, each below a directory of its NAME, which "
        "is its release by default. Headers that several kernels share are there once. An IN of "
        "several kernels keeps their names.",
        (
            "kheadersfs merge 6.1=6.1.tar.xz 6.12=6.12.tar.xz -o kernels.tar.zst",
            "two kernels, in the directories 6.1 and 6.12",
        ),
        ("kheadersfs mount --release 6.1 kernels.tar.zst /mnt", "then see one of them"),
        (
            "kheadersfs merge kernels.tar.zst 6.13.tar.xz --without 6.1 -o kernels.tar.zst",
            "add a kernel, and take one out",
        ),
    )
    add_form(arguments)
    add_limits(arguments)
    arguments.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out the kernels of this name, perhaps with * and ?; may be repeated",
    )
    arguments.add_argument("-o", "--output", metavar="OUT", required=True, help=OUTPUT)
    arguments.add_argument(
        "inputs",
        metavar="[NAME=]IN",
        nargs="+",
        help="an archive, and the directory in OUT that its content goes into",
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Write OUT, or leave it as it was."""
    values = parser().parse(arguments)
    form = chosen_form(values.format, values.compress, values.output)
    limits = parse_limits(values.limits)
    named: dict[str, str] = {}
    paths: list[tuple[str, str]] = []
    for name, path in map(_named, values.inputs):
        if name and name in named:
            raise UsageError(f"{name}={path}: {name} is the name of {named[name]} already")
        named[name] = path
        paths.append((name, path))
    with ExitStack() as stack, progress_bar("merge", "B") as progress:
        sources = [
            Source(os.fsencode(name), stack.enter_context(open_archive(path, _BUDGET, limits)))
            for name, path in paths
        ]
        spool = stack.enter_context(open_spool(values.output))
        write_confined(
            [source.archive for source in sources],
            values.output,
            lambda file: merge(sources, file, form, progress, spool, values.without),
        )
    return 0


def _named(text: str) -> tuple[str, str]:
    """Return name and path; the name is empty when there is none."""
    name, separator, path = text.partition("=")
    if not separator or os.path.exists(text):  # a path may have = in it
        return "", text
    if not name or not path or "/" in name or name in (".", ".."):
        raise UsageError(f"{text}: give an archive as NAME=IN, where NAME is a directory's name")
    return name, path
