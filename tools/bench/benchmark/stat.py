"""Look at every file once that nobody has looked at before: what one cold stat takes."""

from __future__ import annotations

import os
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import BASELINE, Contender
from benchmark.figures import Summary, percentile, summarise_fields
from benchmark.machine import drop_caches
from benchmark.report import print_table, show, show_spread
from benchmark.rounds import Outcome, measure_rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee

WARM_UP = "include/linux/kconfig.h"
"""Looked at first, so that a server that is still starting is not what is measured."""


class StatSample(NamedTuple):
    """Seconds: from mounting to the first answer, then per stat: mean, median, 99th percentile."""

    first: float
    mean: float
    median: float
    high: float


def measure_stats(
    contenders: Sequence[Contender], rounds: int, files: Sequence[str]
) -> tuple[list[Outcome[Contender, StatSample]], list[Absentee]]:
    """Measure all *contenders*; *files* are relative paths."""
    return measure_rounds(
        contenders,
        rounds,
        lambda contender: _measure(contender, files),
    )


def _measure(contender: Contender, files: Sequence[str]) -> StatSample:
    way = contender.way
    elapsed = way.show()
    began = perf_counter()
    os.stat(os.path.join(way.directory, WARM_UP))
    first = elapsed + perf_counter() - began
    drop_caches()
    paths = [os.path.join(way.directory, name) for name in files]
    times = time_stats(paths)
    way.hide()
    way.settle()
    times.sort()
    return StatSample(
        first, sum(times) / len(times), percentile(times, 0.5), percentile(times, 0.99)
    )


def time_stats(paths: Sequence[str]) -> list[float]:
    """Return the seconds that os.stat takes for each of *paths*."""
    stat, clock = os.stat, perf_counter
    times = []
    before = clock()
    for path in paths:
        stat(path)
        after = clock()
        times.append(after - before)
        before = after
    return times


class StatFigures(NamedTuple):
    """One contender's figures, in seconds."""

    contender: Contender
    parts: dict[str, Summary]


def summarise_stats(outcomes: Sequence[Outcome[Contender, StatSample]]) -> list[StatFigures]:
    """Return the figures of all *outcomes*, best mean first."""
    figures = [StatFigures(contender, summarise_fields(samples)) for contender, samples in outcomes]
    return sorted(figures, key=lambda row: row.parts["mean"].median)


def print_stats(figures: Sequence[StatFigures]) -> None:
    """Print the table."""
    rows = [
        [
            row.contender.title,
            show(row.parts["mean"].scaled(1e6), ".1f"),
            show_spread(row.parts["mean"].scaled(1e6), ".1f"),
            show(row.parts["median"].scaled(1e6), ".1f"),
            show(row.parts["high"].scaled(1e6), ".0f"),
            show(row.parts["first"].scaled(1e3), ".0f"),
            str(row.parts["mean"].rounds),
        ]
        for row in figures
    ]
    print_table(
        "stat: every file once, cold; microseconds per file",
        ["", "mean", "quartiles", "median", "99 %", "mount + first ms", "rounds"],
        rows,
    )


def describe_stats(figures: Sequence[StatFigures]) -> list[dict[str, Any]]:
    """Return the figures for JSON, in seconds."""
    return [
        {
            "key": row.contender.key,
            "title": row.contender.title,
            "baseline": row.contender.key == BASELINE,
            "seconds": {name: part._asdict() for name, part in row.parts.items()},
        }
        for row in figures
    ]
