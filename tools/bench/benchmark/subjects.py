"""What can be measured. Each subject measures, prints its table, and returns figures for JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark import build, memory, packing, reading, remote, scale, stat
from benchmark.contenders import Absentee, Choice, Contender, Runner
from benchmark.errors import BenchError, Unavailable
from benchmark.replay import Replay
from benchmark.report import print_absentees
from benchmark.requests import RequestCounter
from benchmark.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmark.implementations import Implementation
    from benchmark.inputs import Inputs
    from benchmark.workload import Work

READERS = (1, 4, 16, 64)
SCALE_ROUNDS = 3
"""At most; the largest archives take half a minute each time."""


class Settings(NamedTuple):
    """How to measure. See command.parse_arguments for what each is; ``idle`` is in seconds."""

    rounds: int
    cold: bool
    idle: float
    kernel_tree: str | None
    sizes: list[str]
    choice: Choice


class Bench(NamedTuple):
    """What all subjects share; ``files`` are the paths of all headers, relative to the tree."""

    settings: Settings
    inputs: Inputs
    implementations: Sequence[Implementation]
    contenders: Sequence[Contender | Runner]
    files: Sequence[str]

    def visible(self) -> list[Contender]:
        """Return the contenders whose headers other processes can see."""
        return [each for each in self.contenders if isinstance(each, Contender)]


def measure_build(bench: Bench) -> list[dict[str, Any]]:
    """Make headers visible, compile, take them away."""
    workload = Workload(bench.inputs.tree, bench.inputs.log)
    return _work_with_all(bench, workload, "compile one eBPF program")


def measure_replay(bench: Bench) -> list[dict[str, Any]]:
    """Make headers visible, do what the compiler would, take them away."""
    workload = Workload(bench.inputs.tree, bench.inputs.log)
    return _work_with_all(bench, Replay(bench.inputs, workload), "replay of such a build")


def _work_with_all(bench: Bench, work: Work, what: str) -> list[dict[str, Any]]:
    settings = bench.settings
    measurement = build.BuildMeasurement(bench.inputs, work, settings.cold, _count_requests(bench))
    outcomes, failures = build.measure_builds(bench.contenders, settings.rounds, measurement)
    figures = build.summarise_builds(outcomes)
    build.print_builds(figures, what)
    print_absentees(failures)
    return build.describe_builds(figures, outcomes)


def _count_requests(bench: Bench) -> RequestCounter | None:
    try:
        return RequestCounter(bench.inputs.scratch)
    except BenchError as error:
        print(f"requests are not counted: {error}")
        return None


def measure_stat(bench: Bench) -> list[dict[str, Any]]:
    """Look at every file once, cold."""
    outcomes, failures = stat.measure_stats(bench.visible(), bench.settings.rounds, bench.files)
    figures = stat.summarise_stats(outcomes)
    stat.print_stats(figures)
    print_absentees(failures)
    return stat.describe_stats(figures)


def measure_read(bench: Bench) -> list[dict[str, Any]]:
    """Read every file once, cold."""
    return _read(bench, 1)


def measure_load(bench: Bench) -> list[dict[str, Any]]:
    """Read every file once, cold, with ever more readers."""
    return [figures for readers in READERS for figures in _read(bench, readers)]


def _read(bench: Bench, readers: int) -> list[dict[str, Any]]:
    tree = bench.inputs.tree
    size = sum(os.stat(os.path.join(tree, name)).st_size for name in bench.files)
    outcomes, failures = reading.measure_reads(
        bench.visible(), bench.settings.rounds, bench.files, readers
    )
    figures = reading.summarise_reads(outcomes, readers)
    reading.print_reads(figures, readers, size)
    print_absentees(failures)
    return reading.describe_reads(figures)


def measure_memory(bench: Bench) -> list[dict[str, Any]]:
    """Mount, compile, leave alone, unmount, and look at memory each time."""
    workload = Workload(bench.inputs.tree, bench.inputs.log)
    measurement = memory.MemoryMeasurement(bench.inputs, workload, bench.settings.idle)
    outcomes, failures = memory.measure_memory(bench.visible(), bench.settings.rounds, measurement)
    figures = memory.summarise_memory(outcomes)
    memory.print_memory(figures, bench.settings.idle)
    print_absentees(failures)
    return memory.describe_memory(figures)


def measure_pack(bench: Bench) -> list[dict[str, Any]]:
    """Make archives from a kernel tree."""
    try:
        tree = packing.find_kernel_tree(bench.settings.kernel_tree, bench.inputs)
    except Unavailable as error:
        print_absentees([Absentee("pack", str(error))])
        return []
    figures, failures = packing.measure_packers(
        packing.list_packers(tree, bench.inputs, bench.implementations), bench.settings.rounds
    )
    packing.print_packers(figures)
    print_absentees(failures)
    return packing.describe_packers(figures)


def measure_scale(bench: Bench) -> list[dict[str, Any]]:
    """Mount ever larger archives."""
    settings = bench.settings
    cases, absentees = scale.list_cases(
        bench.inputs, bench.implementations, settings.sizes, settings.choice
    )
    rounds = min(settings.rounds, SCALE_ROUNDS)
    outcomes, failures = scale.measure_cases(cases, rounds)
    figures = scale.summarise_cases(outcomes)
    scale.print_cases(figures)
    print_absentees([*absentees, *failures])
    return scale.describe_cases(figures)


def measure_remote(bench: Bench) -> list[dict[str, Any]]:
    """Build from an archive at an address."""
    workload = Workload(bench.inputs.tree, bench.inputs.log)
    try:
        return remote.measure_remote(
            bench.implementations[0], bench.inputs, workload, bench.settings.rounds
        )
    except Unavailable as error:
        print_absentees([Absentee("remote", str(error))])
        return []


SELF_SUFFICIENT = frozenset(("pack", "remote", "scale"))
"""Subjects that do without the contenders."""
SUBJECTS: dict[str, Callable[[Bench], list[dict[str, Any]]]] = {
    "build": measure_build,
    "replay": measure_replay,
    "stat": measure_stat,
    "read": measure_read,
    "load": measure_load,
    "memory": measure_memory,
    "pack": measure_pack,
    "remote": measure_remote,
    "scale": measure_scale,
}
