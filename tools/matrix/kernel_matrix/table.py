"""The results of the matrix as a page of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel_matrix.compiling import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernel_matrix.compiling import Cell

_TOP = """\
# Programs that compile, by kernel and compiler

`tools/matrix/run` made this. Each cell has two numbers: how many of the {count} eBPF programs in
`tools/matrix/programs` compile against a mount of the archive, and how many against what tar
extracts from it, both with the flags of `kheadersfs cflags --bpf` and `-O2 -g`. Where they agree,
a program that does not compile is no fault of the mount.
"""


def page(results: Mapping[str, Mapping[str, Cell]], releases: Mapping[str, str]) -> str:
    """Return the page for the cells in *results*, by input and compiler."""
    compilers = sorted({compiler for cells in results.values() for compiler in cells})
    lines = [
        _TOP.format(count=len(PROGRAMS)),
        f"| headers | release | {' | '.join(compilers)} |",
        "|---" * (2 + len(compilers)) + "|",
    ]
    failures: dict[str, None] = {}
    for name, cells in results.items():
        texts = [_text(cells[compiler]) if compiler in cells else "" for compiler in compilers]
        lines.append(f"| {name} | {releases[name]} | {' | '.join(texts)} |")
        for compiler, cell in cells.items():
            for program, reason in (cell.mounted.failed | cell.extracted.failed).items():
                failures[f"- {name}, {compiler}, {program}: {reason}"] = None
    lines += ["", "What does not compile, with the compiler's first error:", "", *failures]
    return "\n".join(lines if failures else lines[:-3]) + "\n"


def _text(cell: Cell) -> str:
    return f"{cell.mounted.compiled}, {cell.extracted.compiled}"
