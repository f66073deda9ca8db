"""The command line of the matrix."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from kernel_matrix.compiling import COMPILERS, compile_all
from kernel_matrix.inputs import INPUTS, SAMPLE, Cache
from kernel_matrix.packages import Packages
from kernel_matrix.table import page

_TOOLS = Path(__file__).parents[2]
PAGE = _TOOLS / "docs/matrix.md"


def main(words: list[str]) -> int:
    """Run the matrix. Returns 1 when a mount and an extraction differ, or an input is missing."""
    # Whoever ends this wants the mount gone too, which takes an exception.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = _parser().parse_args(words)
    inputs = SAMPLE if options.sample else INPUTS
    inputs = tuple(
        entry for entry in inputs if all(word in entry.name.split() for word in options.words)
    )
    if options.list:
        print("\n".join(entry.name for entry in inputs))
        return 0
    cache = Cache(options.cache, Packages(options.cache / "apt"))
    results, releases, alike = {}, {}, True
    for entry in inputs:
        try:
            archive = cache.archive(entry)
            cells = compile_all(archive, tuple(options.compiler or COMPILERS))
        except (LookupError, OSError, subprocess.CalledProcessError) as error:
            print(f"{entry.name}: {error}", file=sys.stderr)
            alike = False
            continue
        results[entry.name] = cells
        releases[entry.name] = _release(archive)
        alike &= all(cell.mounted == cell.extracted for cell in cells.values())
        numbers = ", ".join(f"{name} {cell.mounted.compiled}" for name, cell in cells.items())
        print(f"{entry.name}: {numbers}", file=sys.stderr, flush=True)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(page(results, releases))
    return 0 if alike else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/matrix/run", description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="take only inputs with all these words in the name"
    )
    parser.add_argument("--list", action="store_true", help="name the inputs, and do nothing")
    parser.add_argument("--sample", action="store_true", help="6.1 and 6.12 of x86 and arm64 only")
    parser.add_argument("--compiler", action="append", help=f"by default {', '.join(COMPILERS)}")
    parser.add_argument("--output", type=Path, default=PAGE, help=f"by default {PAGE}")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    default = home / "kheadersfs-tools/matrix"
    parser.add_argument("--cache", type=Path, default=default, help=f"by default {default}")
    return parser


def _release(archive: Path) -> str:
    words = [sys.executable, "-m", "kheadersfs", "info", "--json", str(archive)]
    printed = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    release: str = json.loads(printed)["release"]
    return release
