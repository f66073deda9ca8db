"""Make headers visible, compile against them, compile again, take them away."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import BASELINE, Contender, Runner
from benchmark.errors import Failed
from benchmark.figures import Summary, summarise, summarise_fields
from benchmark.machine import drop_caches
from benchmark.report import print_table, show, show_spread
from benchmark.rounds import Outcome, measure_rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee
    from benchmark.inputs import Inputs
    from benchmark.workload import Workload


class BuildSample(NamedTuple):
    """Seconds. ``total`` is the sum without the second build; what was not measured is None."""

    total: float
    visible: float | None
    first: float | None
    second: float | None
    away: float | None


BuildOutcome = Outcome[Contender | Runner, BuildSample]


class BuildMeasurement:
    """Measures contenders; what they compile must be, byte for byte, what the baseline compiles.

    With *cold*, caches are dropped before headers are made visible, and the compiler is then made
    warm again by a build from the baseline's headers.
    """

    def __init__(self, inputs: Inputs, workload: Workload, cold: bool) -> None:
        self._inputs = inputs
        self._workload = workload
        self._cold = cold
        self._object = os.path.join(inputs.memory, "program.o")
        workload.build(inputs.tree, self._object)
        self._expected = self._take_object()

    def measure(self, contender: Contender | Runner) -> BuildSample:
        """Measure *contender* once. Raises Failed."""
        if self._cold:
            drop_caches()
            self._workload.build(self._inputs.tree, self._object)
        if isinstance(contender, Runner):
            total = contender.private.run(self._workload.shell_command(self._object))
            self._check_object()
            return BuildSample(total, None, None, None, None)
        way = contender.way
        visible = way.show()
        first = self._workload.build(way.directory, self._object)
        self._check_object()
        second = self._workload.build(way.directory, self._object)
        away = way.hide()
        way.settle()
        return BuildSample(visible + first + away, visible, first, second, away)

    def _take_object(self) -> bytes:
        with open(self._object, "rb") as compiled:
            content = compiled.read()
        os.unlink(self._object)
        return content

    def _check_object(self) -> None:
        if self._take_object() != self._expected:
            raise Failed("the object compiled from its headers is not the baseline's")


def measure_builds(
    contenders: Sequence[Contender | Runner], rounds: int, measurement: BuildMeasurement
) -> tuple[list[BuildOutcome], list[Absentee]]:
    """Measure all *contenders*."""
    return measure_rounds(contenders, rounds, measurement.measure)


class BuildFigures(NamedTuple):
    """One contender's figures: totals and second builds relative to the baseline, the rest in s."""

    contender: Contender | Runner
    ratio: Summary
    second_ratio: Summary | None
    parts: dict[str, Summary]


def summarise_builds(outcomes: Sequence[BuildOutcome]) -> list[BuildFigures]:
    """Return the figures of all *outcomes*, one of which is the baseline's; best total first."""
    baseline = next(outcome for outcome in outcomes if outcome.participant.key == BASELINE)
    unit = summarise([sample.total for sample in baseline.samples]).median
    figures = []
    for contender, samples in outcomes:
        parts = summarise_fields(samples)
        second = parts.get("second")
        figures.append(
            BuildFigures(
                contender,
                parts["total"].scaled(1 / unit),
                None if second is None else second.scaled(1 / unit),
                parts,
            )
        )
    return sorted(figures, key=lambda row: row.ratio.median)


def print_builds(figures: Sequence[BuildFigures]) -> None:
    """Print the table, milliseconds and ratios."""
    rows = [
        [
            row.contender.title,
            show(row.ratio, ".2f"),
            show_spread(row.ratio, ".2f"),
            show(row.second_ratio, ".2f"),
            *(
                _milliseconds(row.parts.get(name))
                for name in ("visible", "first", "second", "away")
            ),
            str(row.ratio.rounds),
        ]
        for row in figures
    ]
    print_table(
        "build: make headers visible + compile one eBPF program + take them away; "
        "1.00 = already extracted in a tmpfs",
        ["", "total", "quartiles", "2nd", "visible ms", "1st build", "2nd build", "away", "rounds"],
        rows,
    )


def _milliseconds(summary: Summary | None) -> str:
    return show(None if summary is None else summary.scaled(1000), ".0f")


def format_builds(builds: Sequence[dict[str, Any]]) -> str:
    """Return *builds*, as describe_builds() returns them, as a table in Markdown.

    It has the names, the order and the figures of the chart that is drawn of the same.
    """
    lines = [
        "| way | total | quartiles | second build | until visible | first build | away |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in builds:
        ratio, second, seconds = row["ratio"], row["second_ratio"], row["seconds"]
        cells = [
            f"{ratio['median']:.2f}",
            f"{ratio['low']:.2f} to {ratio['high']:.2f}",
            "" if second is None else f"{second['median']:.2f}",
            *(
                f"{seconds[name]['median'] * 1000:,.0f} ms" if name in seconds else ""
                for name in ("visible", "first", "away")
            ),
        ]
        bold = "**" if row["family"] == "ours" else ""
        lines.append(f"| {bold}{row['title']}{bold} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def describe_builds(
    figures: Sequence[BuildFigures], outcomes: Sequence[BuildOutcome]
) -> list[dict[str, Any]]:
    """Return the figures for JSON: ratios, and seconds with all samples."""
    samples = {outcome.participant.key: outcome.samples for outcome in outcomes}
    return [
        {
            "key": row.contender.key,
            "title": row.contender.title,
            "family": row.contender.family,
            "ratio": row.ratio._asdict(),
            "second_ratio": row.second_ratio and row.second_ratio._asdict(),
            "seconds": {name: part._asdict() for name, part in row.parts.items()},
            "samples": [sample._asdict() for sample in samples[row.contender.key]],
        }
        for row in figures
    ]
