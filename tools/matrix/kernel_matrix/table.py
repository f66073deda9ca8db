"""The results of the matrix as a page of Markdown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kernel_matrix.compiling import PROGRAMS
from kernel_matrix.inputs import MADE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kernel_matrix.outcomes import Cell, Row

_TOP = """\
# Programs that compile, by kernel and compiler

This page is for those who want to know whether their eBPF programs will compile with the headers of
a kernel. `tools/matrix/run` made it on Linux {kernel}, {machine}.

Each cell of a compiler, bcc or bpftrace has two numbers: the programs that compile against a mount
of the archive, and those that compile against what tar extracts from it. Where the two agree, what
fails is no fault of the mount.

- **clang** columns count the {count} eBPF programs in `tools/matrix/programs`, compiled with the
  flags of `kheadersfs cflags --bpf` and `-O2 -g`, for the target that has the kernel's byte order.
- **bcc** and **bpftrace** are those of the distribution. They have programs of their own in
  `tools/matrix/clients`, which are compiled, loaded and attached. They take only headers of this
  machine's architecture.
- **loaded** says how many of the compiled programs the running kernel takes from bpftool, by
  compiler.

Archives that are equal, byte for byte, are tried once.
"""
_HOW = """\
## How each archive was made

A word of its name says it:"""
_FAILED = """\
## What fails

Each line has the first error of the compiler, the client or bpftool:"""
_REFUSED = """\
## What the running kernel refuses

Of an empty program of each kind, compiled without any headers, the running kernel takes those of
{taken}.
It refuses these for their kind alone, whatever a program does, so "loaded" lacks them:"""


def page(
    rows: Mapping[str, Row],
    missing: Mapping[str, str],
    untried: Iterable[str],
    empty: Mapping[str, str | None],
) -> str:
    """Return the page for *rows* and why inputs are *missing*, by the inputs' names.

    Those in *untried* have neither, as the run has not come to them yet. *empty* says of each kind
    of programs why the running kernel refuses an empty one, or None.
    """
    columns = list(dict.fromkeys(column for row in rows.values() for column in row.cells))
    top = _TOP.format(count=len(PROGRAMS), kernel=os.uname().release, machine=os.uname().machine)
    lines = [
        top,
        f"| headers | release | target | {' | '.join(columns)} | loaded |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for name, row in rows.items():
        texts = [_text(row.cells[column]) if column in row.cells else "" for column in columns]
        loaded = ", ".join(
            f"{outcome.succeeded}/{outcome.attempted}" for outcome in row.loaded.values()
        )
        lines.append(f"| {name} | {row.release} | {row.target} | {' | '.join(texts)} | {loaded} |")
    kinds = {
        kind: made for kind, made in MADE.items() if any(kind in name.split() for name in rows)
    }
    lines += _section(_HOW, map(": ".join, kinds.items()))
    lines += _section(_FAILED, _failures(rows))
    refused = {kind: reason for kind, reason in empty.items() if reason is not None}
    taken = ", ".join(kind for kind in empty if kind not in refused)
    lines += _section(
        _REFUSED.format(taken=taken),
        (f"{kind}: `{reason}`" for kind, reason in refused.items()),
    )
    lines += _section("## Inputs that were not available", map(": ".join, missing.items()))
    lines += _section("## Inputs that this run has not reached", untried)
    return "\n".join(lines) + "\n"


def _text(cell: Cell) -> str:
    mounted, extracted = cell
    return f"{mounted.succeeded}/{mounted.attempted}, {extracted.succeeded}/{extracted.attempted}"


def _section(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {item}" for item in items]
    return ["", title, "", *lines] if lines else []


def _failures(rows: Mapping[str, Row]) -> Iterator[str]:
    """Yield a line for each reason, with the programs that fail for it, and the inputs."""
    found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for name, row in rows.items():
        for column, program, reason in _reasons(row):
            programs, inputs = found.setdefault((column, reason), ({}, {}))
            programs[program] = None
            inputs[name] = None
    for (column, reason), (programs, inputs) in found.items():
        yield f"{column}, {', '.join(programs)}: `{reason}` ({', '.join(inputs)})"


def _reasons(row: Row) -> Iterator[tuple[str, str, str]]:
    """Yield the column, the program and the reason of whatever failed in *row*."""
    for column, cell in row.cells.items():
        mounted, extracted = cell.mounted.failed, cell.extracted.failed
        for program in mounted | extracted:
            where = ""
            if mounted.get(program) != extracted.get(program):
                where = " (mounted only)" if program in mounted else " (extracted only)"
            yield column + where, program, (mounted | extracted)[program]
    for compiler, outcome in row.loaded.items():
        for program, reason in outcome.failed.items():
            yield f"loaded, of {compiler}", program, reason
