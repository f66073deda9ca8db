"""Tables for people and one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from benchmark.errors import BenchError
from benchmark.figures import Summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print *rows*, each as long as *columns*; the first column is text, the others figures."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    print(f"\n{title}")
    for row in (columns, ["-" * width for width in widths], *rows):
        name, *figures = row
        cells = (cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))
        print("  ".join([name.ljust(widths[0]), *cells]).rstrip())


def print_absentees(absentees: Sequence[Absentee]) -> None:
    """Print who is not in the table, and why."""
    for absentee in absentees:
        print(f"not measured: {absentee.key}: {absentee.reason}")


def show(summary: Summary | None, form: str) -> str:
    """Return the median in the format *form*, a dash if there is none."""
    return "-" if summary is None else format(summary.median, form)


def show_spread(summary: Summary | None, form: str) -> str:
    """Return the quartiles in the format *form*."""
    if summary is None:
        return "-"
    return f"{format(summary.low, form)} to {format(summary.high, form)}"


def show_progress(text: str) -> None:
    """Say on a terminal what is being measured, on one line that is overwritten."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def read_json(path: str) -> dict[str, Any]:
    """Return what write_json() wrote to *path*. Raises BenchError."""
    try:
        with open(path) as document:
            read: dict[str, Any] = json.load(document)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: cannot be read: {error}") from error
    return read


def write_json(path: str, document: dict[str, Any]) -> None:
    """Write *document* to the file *path*: what changes with each run has a line for each row."""
    parts = []
    for key, value in document.items():
        if isinstance(value, list):
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            parts.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as output:
        output.write("{\n" + ",\n".join(parts) + "\n}\n")
