"""What having headers mounted costs in memory, while they are used, idle, and afterwards.

The whole machine is asked, because servers are not all: page tables, kernel objects, tmpfs and
memfd files count. A busy machine makes these figures worthless; the row of the baseline, which does
nothing, shows how far they can be trusted.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import Contender
from benchmark.figures import summarise_fields
from benchmark.machine import (
    cpu_ticks,
    measure_unreclaimable,
    server_memory,
)
from benchmark.processes import running
from benchmark.report import print_table, show, show_spread
from benchmark.rounds import Outcome, measure_rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee
    from benchmark.figures import Summary
    from benchmark.inputs import Inputs
    from benchmark.workload import Workload

QUIET = 0.5
"""Seconds without any work of the servers after which they count as idle."""
PATIENCE = 10.0
"""Seconds to wait for that."""


class MemorySample(NamedTuple):
    """Bytes. The first four are of the whole machine, against before the headers were visible.

    ``idle`` was measured some time after the last access, and not in every round.
    ``resident``, ``peak``, ``memfd`` and ``deleted`` are the servers' after the build; see
    machine.ServerMemory. ``idle_resident`` belongs to ``idle``.
    """

    mounted: int
    built: int
    idle: int | None
    after: int
    resident: int
    peak: int
    memfd: int
    deleted: int
    idle_resident: int | None


class MemoryMeasurement:
    """Measures contenders.

    The second time that it meets one, the first being there to warm up, it also waits for *idle*
    seconds without any access, if that is not 0.
    """

    def __init__(self, inputs: Inputs, workload: Workload, idle: float) -> None:
        self._workload = workload
        self._idle = idle
        self._met: Counter[str] = Counter()
        self._object = os.path.join(inputs.memory, "program.o")
        workload.build(inputs.tree, self._object)

    def measure(self, contender: Contender) -> MemorySample:
        """Measure *contender* once. Raises Failed."""
        way = contender.way
        before = measure_unreclaimable()
        way.show()
        await_quiet(running())
        mounted = measure_unreclaimable() - before
        self._workload.build(way.directory, self._object)
        servers = running()
        await_quiet(servers)
        built = measure_unreclaimable() - before
        held = server_memory(servers)
        idle = idle_resident = None
        self._met[contender.key] += 1
        if self._idle and self._met[contender.key] == 2:
            time.sleep(self._idle)
            idle_resident = server_memory(servers).resident
            idle = measure_unreclaimable() - before
        way.hide()
        way.settle()
        after = measure_unreclaimable() - before
        return MemorySample(mounted, built, idle, after, *held, idle_resident)


def await_quiet(pids: Sequence[int]) -> None:
    """Wait until the processes *pids* have done nothing for a while, or patience ends."""
    deadline = time.monotonic() + PATIENCE
    ticks = cpu_ticks(pids)
    quiet_since = time.monotonic()
    while time.monotonic() < min(quiet_since + QUIET, deadline):
        time.sleep(QUIET / 10)
        now = cpu_ticks(pids)
        if now != ticks:
            ticks, quiet_since = now, time.monotonic()


def measure_memory(
    contenders: Sequence[Contender], rounds: int, measurement: MemoryMeasurement
) -> tuple[list[Outcome[Contender, MemorySample]], list[Absentee]]:
    """Measure all *contenders*."""
    return measure_rounds(
        contenders,
        rounds,
        measurement.measure,
    )


class MemoryFigures(NamedTuple):
    """One contender's figures, in bytes; what was not measured is left out."""

    contender: Contender
    parts: dict[str, Summary]


def summarise_memory(outcomes: Sequence[Outcome[Contender, MemorySample]]) -> list[MemoryFigures]:
    """Return the figures of all *outcomes*, in their order."""
    return [MemoryFigures(contender, summarise_fields(samples)) for contender, samples in outcomes]


def print_memory(figures: Sequence[MemoryFigures], idle: float) -> None:
    """Print the table, in MB."""
    columns = ("mounted", "built", "idle", "after", "resident", "peak", "idle_resident")
    rows = [
        [
            row.contender.title,
            *(_megabytes(row.parts.get(name)) for name in columns[:2]),
            show_spread(row.parts["built"].scaled(1e-6), ".1f"),
            *(_megabytes(row.parts.get(name)) for name in (*columns[2:], "memfd", "deleted")),
        ]
        for row in figures
    ]
    print_table(
        "memory: what the whole machine cannot reclaim, against before, and what servers hold; MB",
        [
            "",
            *("mounted", "built", "quartiles", f"{idle:.0f} s idle", "unmounted"),
            *("server", "peak", f"{idle:.0f} s idle", "memfd", "deleted"),
        ],
        rows,
    )


def _megabytes(summary: Summary | None) -> str:
    return show(None if summary is None else summary.scaled(1e-6), ".1f")


def describe_memory(figures: Sequence[MemoryFigures]) -> list[dict[str, Any]]:
    """Return the figures for JSON, in bytes."""
    return [
        {
            "key": row.contender.key,
            "title": row.contender.title,
            "bytes": {name: part._asdict() for name, part in row.parts.items()},
        }
        for row in figures
    ]
