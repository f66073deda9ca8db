"""Make headers visible, work with them, work again, take them away.

The work is a compilation, or the replay of one; see workload.Work. Before and after each of these
the baseline works once. What follows on something else within seconds is compared with it, because
the speed of a virtual machine changes within minutes, by more than what is to be found out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import Contender, Runner
from benchmark.errors import Failed
from benchmark.figures import Summary, summarise, summarise_fields
from benchmark.machine import drop_caches
from benchmark.report import print_table, show, show_spread
from benchmark.requests import connection_of, count_of_only_mount, count_on
from benchmark.rounds import Outcome, measure_rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee
    from benchmark.inputs import Inputs
    from benchmark.requests import RequestCounter
    from benchmark.ways import Way
    from benchmark.workload import Work


class BuildSample(NamedTuple):
    """Seconds, and requests sent to FUSE servers; what was not measured is None.

    ``total`` is the sum without the second build. ``unit`` is what 1.00 stands for: the mean of the
    baseline's builds just before and just after. ``requests`` are those until the end of the first
    build, or all of a single command's; ``second_requests`` those of the second build.
    """

    total: float
    unit: float
    visible: float | None = None
    first: float | None = None
    second: float | None = None
    away: float | None = None
    requests: int | None = None
    second_requests: int | None = None


_UNKNOWN = float("nan")
"""The unit of a sample before the baseline's second build."""

BuildOutcome = Outcome[Contender | Runner, BuildSample]


class BuildMeasurement:
    """Measures contenders; what they make must be, byte for byte, what the baseline makes.

    With *cold*, caches are dropped before headers are made visible, and the compiler is then made
    warm again by a build from the baseline's headers. Without *counter* no requests are counted.
    """

    def __init__(
        self, inputs: Inputs, work: Work, cold: bool, counter: RequestCounter | None
    ) -> None:
        self._inputs = inputs
        self._work = work
        self._cold = cold
        self._counter = counter
        self._object = os.path.join(inputs.memory, "program.o")
        work.build(inputs.tree, self._object)
        self._expected = self._take_object()
        self._just_before: float | None = None
        """Seconds of the baseline's build, if that is what was done last."""

    def measure(self, contender: Contender | Runner) -> BuildSample:
        """Measure *contender* once. Raises Failed."""
        before, self._just_before = self._just_before, None
        if self._cold:
            drop_caches()
        if self._cold or before is None:
            before = self._build_from_baseline()
        self._forget_requests()
        if isinstance(contender, Runner):
            sample = self._measure_runner(contender)
        else:
            sample = self._measure_way(contender.way)
        self._just_before = self._build_from_baseline()
        return sample._replace(unit=(before + self._just_before) / 2)

    def _build_from_baseline(self) -> float:
        seconds = self._work.build(self._inputs.tree, self._object)
        self._check_object()
        return seconds

    def _measure_runner(self, runner: Runner) -> BuildSample:
        """Return a sample whose unit is still unknown."""
        total = runner.private.run(self._work.shell_command(self._object))
        self._check_object()
        return BuildSample(total, _UNKNOWN, requests=self._count_of_command())

    def _measure_way(self, way: Way) -> BuildSample:
        """Return a sample whose unit is still unknown."""
        visible = way.show()
        first = self._work.build(way.directory, self._object)
        self._check_object()
        requests = self._count_at(way.directory)
        second = self._work.build(way.directory, self._object)
        self._check_object()
        second_requests = self._count_at(way.directory)
        away = way.hide()
        way.settle()
        total = visible + first + away
        parts = (visible, first, second, away)
        return BuildSample(total, _UNKNOWN, *parts, requests, second_requests)

    def _forget_requests(self) -> None:
        if self._counter is not None:
            self._counter.take()

    def _count_at(self, directory: str) -> int | None:
        """Return how many requests the file system at *directory* was sent since the last call."""
        connection = connection_of(directory)
        if self._counter is None or connection is None:
            return None
        self._counter.settle(connection)
        return count_on(self._counter.take(), connection)

    def _count_of_command(self) -> int | None:
        return None if self._counter is None else count_of_only_mount(self._counter.take())

    def _take_object(self) -> bytes:
        with open(self._object, "rb") as compiled:
            content = compiled.read()
        os.unlink(self._object)
        return content

    def _check_object(self) -> None:
        if self._take_object() != self._expected:
            raise Failed("what was made from its headers is not what the baseline's make")


def measure_builds(
    contenders: Sequence[Contender | Runner], rounds: int, measurement: BuildMeasurement
) -> tuple[list[BuildOutcome], list[Absentee]]:
    """Measure all *contenders*."""
    return measure_rounds(contenders, rounds, measurement.measure)


class BuildFigures(NamedTuple):
    """One contender's figures, in s. ``ratio`` and ``second_ratio`` are relative to the baseline's
    builds before and after each sample.
    """

    contender: Contender | Runner
    ratio: Summary
    second_ratio: Summary | None
    parts: dict[str, Summary]


def summarise_builds(outcomes: Sequence[BuildOutcome]) -> list[BuildFigures]:
    """Return the figures of all *outcomes*; best total first."""
    figures = []
    for contender, samples in outcomes:
        second = [each.second / each.unit for each in samples if each.second is not None]
        figures.append(
            BuildFigures(
                contender,
                summarise([each.total / each.unit for each in samples]),
                summarise(second) if second else None,
                summarise_fields(samples),
            )
        )
    return sorted(figures, key=lambda row: row.ratio.median)


def print_builds(figures: Sequence[BuildFigures], what: str) -> None:
    """Print the table, milliseconds and ratios; *what* was done with the headers."""
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
            show(row.parts.get("requests"), ",.0f"),
            show(row.parts.get("second_requests"), ",.0f"),
            str(row.ratio.rounds),
        ]
        for row in figures
    ]
    print_table(
        f"make headers visible + {what} + take them away; 1.00 = already extracted in a tmpfs",
        [
            *("", "total", "quartiles", "2nd", "visible ms", "1st build", "2nd build", "away"),
            *("requests", "in 2nd", "rounds"),
        ],
        rows,
    )


def _milliseconds(summary: Summary | None) -> str:
    return show(None if summary is None else summary.scaled(1000), ".0f")


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
