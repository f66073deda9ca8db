"""What documents say of the runs that are kept: their tables and the chart, made from these alone.

A document has the lines ``<!-- builds: FORM -->`` and ``<!-- end of builds -->``; what is between
them is made. FORM is "all", or "short" for README's few rows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmark.chart import draw_builds
from benchmark.errors import BenchError
from benchmark.implementations import REPOSITORY
from benchmark.runs import read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmark.runs import Range, Results, Row

CHART = os.path.join(REPOSITORY, "tools", "bench", "builds.svg")
DOCUMENTS = tuple(os.path.join(REPOSITORY, path) for path in ("README.md", "tools/bench/FLOOR.md"))
SHORT = (
    *("kheadersfs:zstd", "kheadersfs:xz", "kheadersfs:kernel-xz", "kheadersfs:kernel-xz:run"),
    *("erofs", "fuse-archive-zstd", "tar-tmpfs", "squashfuse"),
)
"""The keys of README's rows."""
_BEGIN, _END = "<!-- builds: ", "<!-- end of builds -->"


def publish() -> None:
    """Make the chart, and the tables of all DOCUMENTS. Raises BenchError."""
    results = read_runs()
    with open(CHART, "w") as chart:
        chart.write(draw_builds(results[0]))
    for path in DOCUMENTS:
        with open(path) as document:
            text = document.read()
        with open(path, "w") as document:
            document.write(fill_in(text, results, path))


def fill_in(text: str, results: Sequence[Results], name: str) -> str:
    """Return *text*, of the document *name*, with what is between its marks made of *results*."""
    parts = text.split(_BEGIN)
    filled = [parts[0]]
    for part in parts[1:]:
        mark, _, rest = part.partition(" -->\n")
        _, end, after = rest.partition(_END)
        if mark not in FORMS or not end:
            raise BenchError(f"{name}: has no '{_END}', or a form that is none: {mark}")
        filled.append(f"{_BEGIN}{mark} -->\n{FORMS[mark](results)}\n{_END}{after}")
    return "".join(filled)


def format_all(results: Sequence[Results]) -> str:
    """Return a table of everybody for each host."""
    head = (
        "| way | total | range | second build | range | until visible | first build | away | "
        "requests | in second build |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    return "\n\n".join(
        "\n".join([f"{describe(each)}:", "", head, *map(_long_row, each.rows)]) for each in results
    )


def format_short(results: Sequence[Results]) -> str:
    """Return a table of few, of the host that was measured last."""
    newest = results[0]
    rows = [_short_row(row) for row in newest.rows if row.key in SHORT]
    return "\n".join(
        [f"{describe(newest)}:", "", "| way | total | range |", "|---|---|---|", *rows]
    )


FORMS: dict[str, Callable[[Sequence[Results]], str]] = {"all": format_all, "short": format_short}


def describe(results: Results) -> str:
    """Return in a sentence without its full stop where and how *results* were measured."""
    runs = len(results.baselines)
    what = "one run" if runs == 1 else f"{runs} runs"
    build = _span([round(each * 1000) for each in results.baselines])
    load = _span([round(each, 1) for each in results.loads])
    beside = "just before and after" if results.paired else "of the same run, whose median is taken"
    return (
        f"{results.host.title}, liblzma {results.host.liblzma}; {what} of {results.rounds} rounds, "
        f"load before {load}, version {', '.join(results.versions)}; "
        f"1.00 is a build from a tmpfs {beside}, {build} ms"
    )


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _long_row(row: Row) -> str:
    figures = row.figures
    cells = [
        _bold(row),
        *_ratio(figures["total"]),
        *(_ratio(figures["second"]) if "second" in figures else ("", "")),
        *(
            f"{figures[name].median * 1000:,.0f} ms" if name in figures else ""
            for name in ("visible", "first", "away")
        ),
        *(
            f"{figures[name].median:,.0f}" if name in figures else ""
            for name in ("requests", "second_requests")
        ),
    ]
    return f"| {' | '.join(cells)} |"


def _short_row(row: Row) -> str:
    return f"| {' | '.join([_bold(row), *_ratio(row.figures['total'])])} |"


def _bold(row: Row) -> str:
    mark = "**" if row.family == "ours" else ""
    return f"{mark}{row.title}{mark}"


def _ratio(value: Range) -> tuple[str, str]:
    form = ".2f" if value.median < 10 else ".0f"
    return format(value.median, form), f"{value.low:{form}} to {value.high:{form}}"
