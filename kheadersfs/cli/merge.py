"""``kheadersfs merge``."""

from __future__ import annotations

import os
from contextlib import ExitStack

from kheadersfs.cli.arguments import OUTPUT, Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.progress import progress_bar
from kheadersfs.cli.writing import write_confined
from kheadersfs.errors import UsageError
from kheadersfs.pack.repacking import Input, merge
from kheadersfs.reader import open_archive

# Decoded bytes to hold of each input: there may be many.
_BUDGET = 8 << 20


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "merge",
        "Write what is in several archives to OUT, each below a directory of its NAME. Headers "
        "that several kernels share are there once.",
        (
            "kheadersfs merge 6.1=6.1.tar.xz 6.12=6.12.tar.xz -o kernels.tar.zst",
            "two kernels, in the directories 6.1 and 6.12",
        ),
        ("kheadersfs mount kernels.tar.zst /mnt", "then see both, at /mnt/6.1 and /mnt/6.12"),
    )
    add_form(arguments)
    add_limits(arguments)
    arguments.add_argument("-o", "--output", metavar="OUT", required=True, help=OUTPUT)
    arguments.add_argument(
        "inputs",
        metavar="NAME=IN",
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
    for name, path in map(_named, values.inputs):
        if name in named:
            raise UsageError(f"{name}={path}: {name} is the name of {named[name]} already")
        named[name] = path
    with ExitStack() as stack, progress_bar("merge", "B") as progress:
        inputs = [
            Input(os.fsencode(name), stack.enter_context(open_archive(path, _BUDGET, limits)))
            for name, path in named.items()
        ]
        write_confined(
            [source.archive for source in inputs],
            values.output,
            lambda file: merge(inputs, file, form, progress),
        )
    return 0


def _named(text: str) -> tuple[str, str]:
    name, separator, path = text.partition("=")
    if not separator or not name or not path or "/" in name or name in (".", ".."):
        raise UsageError(f"{text}: give an archive as NAME=IN, where NAME is a directory's name")
    return name, path
