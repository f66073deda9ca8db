"""The command line of the matrix."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kernel_matrix.archives import Cache
from kernel_matrix.clients import installed_clients
from kernel_matrix.compiling import COMPILERS
from kernel_matrix.inputs import INPUTS, SAMPLE, Given, Input
from kernel_matrix.loading import load_empty
from kernel_matrix.packages import Packages
from kernel_matrix.rows import Memory, try_archive
from kernel_matrix.table import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel_matrix.outcomes import Row

_TOOLS = Path(__file__).parents[2]
PAGE = _TOOLS / "docs/matrix.md"


def main(words: list[str]) -> int:
    """Run the matrix. Returns 1 when a mount and an extraction differ, or an input is missing."""
    # Whoever ends this wants the mount gone too, which takes an exception.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = _parser().parse_args(words)
    inputs = _chosen(options)
    if options.list:
        print("\n".join(entry.name for entry in inputs))
        return 0
    try_one = _trial(options)
    rows: dict[str, Row] = {}
    missing: dict[str, str] = {}
    empty = load_empty(COMPILERS[-1])
    for number, entry in enumerate(inputs, 1):
        try:
            row = rows[entry.name] = try_one(entry)
        except (LookupError, OSError, subprocess.SubprocessError) as error:
            missing[entry.name] = str(error)
        print(f"{entry.name}: {missing.get(entry.name) or _summary(row)}", file=sys.stderr)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        untried = [later.name for later in inputs[number:]]
        options.output.write_text(page(rows, missing, untried, empty))
    alike = all(
        cell.mounted == cell.extracted for row in rows.values() for cell in row.cells.values()
    )
    return 0 if alike and not missing else 1


def _trial(options: argparse.Namespace) -> Callable[[Input | Given], Row]:
    """Return what tries one input, or remembers what an earlier run found."""
    cache = Cache(options.cache, Packages(options.cache / "apt"))
    compilers, clients = tuple(options.compiler or COMPILERS), installed_clients()
    tools = (*compilers, *(client.name for client in clients), os.uname().release)
    memory = Memory(options.cache / "rows", tools)

    def try_one(entry: Input | Given) -> Row:
        archive = cache.archive(entry)
        row = None if options.again else memory.recall(archive)
        if row is None:
            row = try_archive(archive, compilers, clients)
            memory.keep(archive, row)
        return row

    return try_one


def _chosen(options: argparse.Namespace) -> list[Input | Given]:
    """Return the inputs that all of the words on the command line are in the names of."""
    inputs = [*(SAMPLE if options.sample else INPUTS), *options.add]
    return [entry for entry in inputs if set(options.words) <= set(entry.name.split())]


def _summary(row: Row) -> str:
    return ", ".join(f"{name} {cell.mounted.succeeded}" for name, cell in row.cells.items())


def _given(text: str) -> Given:
    label, _, path = text.partition("=")
    if not label or not os.path.exists(path):
        raise argparse.ArgumentTypeError(f"{text}: is not NAME=PATH of an archive or a tree")
    return Given(label, Path(path))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/matrix/run", description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="take only inputs with all these words in the name"
    )
    parser.add_argument("--list", action="store_true", help="name the inputs, and do nothing")
    parser.add_argument("--sample", action="store_true", help="6.1 and 6.12 of x86 and arm64 only")
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        type=_given,
        metavar="NAME=PATH",
        help="try an archive or a kernel tree of yours too",
    )
    parser.add_argument("--again", action="store_true", help="use nothing that earlier runs found")
    parser.add_argument("--compiler", action="append", help=f"by default {', '.join(COMPILERS)}")
    parser.add_argument("--output", type=Path, default=PAGE, help=f"by default {PAGE}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    default = home / "kheadersfs-tools/matrix"
    parser.add_argument("--cache", type=Path, default=default, help=f"by default {default}")
    return parser
