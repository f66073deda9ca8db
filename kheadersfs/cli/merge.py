"""``kheadersfs merge``."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from kheadersfs.cli.arguments import OUTPUT, Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.opening import open_followed, open_given, open_packed
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.packages import archive_of_each, archives_of
from kheadersfs.cli.progress import progress_line
from kheadersfs.cli.writing import open_spool, write_confined
from kheadersfs.errors import UsageError
from kheadersfs.pack.gathering import Source
from kheadersfs.pack.merging import merge
from kheadersfs.packages.recognition import may_be_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.cli.progress import Progress
    from kheadersfs.limits import Limits
    from kheadersfs.reader import HeaderArchive

# Decoded bytes to hold of each input. Few suffice, as an input is read from front to back.
_BUDGET = 1 << 20


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "merge",
        "Write the kernels in several archives to OUT, each below a directory called NAME, by "
        "default its release. Headers that several kernels share are stored once. An IN of several "
        "kernels keeps their names.",
        (
            "kheadersfs merge 6.1=6.1.tar.xz 6.12=6.12.tar.xz -o kernels.tar.zst",
            "two kernels, in the directories 6.1 and 6.12; mount --release 6.1 shows one",
        ),
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
        help="leave out kernels of this name, which may have * and ? in it; may be repeated",
    )
    arguments.add_argument("-o", "--output", metavar="OUT", required=True, help=OUTPUT)
    arguments.add_argument(
        "inputs",
        metavar="[NAME=]IN",
        nargs="+",
        help="an archive, and the directory in OUT that its content goes into; packages (.deb, "
        ".rpm) of one NAME are one kernel",
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Write OUT, or leave it as it was."""
    values = parser().parse(arguments)
    form = chosen_form(values.format, values.compress, values.output)
    limits = parse_limits(values.limits)
    with ExitStack() as stack, progress_line("merge", "B") as progress:
        sources = [
            Source(os.fsencode(name), stack.enter_context(opened))
            for name, opened in _opened(values.inputs, limits, progress)
        ]
        spool = stack.enter_context(open_spool(values.output))
        write_confined(
            [source.archive for source in sources],
            values.output,
            lambda file: merge(sources, file, form, progress, spool, values.without),
        )
    return 0


def _opened(
    inputs: list[str], limits: Limits, progress: Progress
) -> Iterator[tuple[str, HeaderArchive]]:
    """Yield the name and the archive of every kernel, or of several that have no name here.

    Packages of one name are one kernel; those without are of as many as they say.
    """
    named: dict[str, list[str]] = {}
    packages: list[str] = []
    for name, path in map(_named, inputs):
        if not name:
            if may_be_packages(path):
                packages.append(path)
            else:
                yield name, open_followed(path, limits, (), progress, _BUDGET)
            continue
        others = named.setdefault(name, [])
        if others and not all(map(may_be_packages, (*others, path))):
            raise UsageError(f"{name}={path}: {name} is the name of {others[0]} already")
        others.append(path)
    packed = archive_of_each(filter(_are_packages, named.values()), limits)
    for name, paths in named.items():
        if _are_packages(paths):
            yield name, open_packed(next(packed), paths[0], limits, _BUDGET)
        else:
            yield name, open_followed(paths[0], limits, (), progress, _BUDGET)
    if packages:
        for path in archives_of(packages, limits):
            yield "", open_given(path, limits, budget=_BUDGET)


def _are_packages(paths: list[str]) -> bool:
    return may_be_packages(paths[0])


def _named(text: str) -> tuple[str, str]:
    """Return name and path; the name is empty when there is none."""
    name, separator, path = text.partition("=")
    if not separator or os.path.exists(text):  # a path may have = in it
        return "", text
    if not name or not path or "/" in name or name in (".", ".."):
        raise UsageError(f"{text}: give an archive as NAME=IN, where NAME is a directory's name")
    return name, path
