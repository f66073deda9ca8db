"""The command line: what to measure, with whom, how often, and where the figures go."""

from __future__ import annotations

import argparse
import glob
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark import build, reading, stat
from benchmark.contenders import list_candidates, prepare
from benchmark.errors import BenchError
from benchmark.implementations import REPOSITORY, find_implementation
from benchmark.inputs import Inputs, find_archive, list_files
from benchmark.isolation import run_isolated
from benchmark.report import describe_machine, print_absentees, write_json
from benchmark.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmark.contenders import Contender

READERS = (1, 4, 16, 64)


class Settings(NamedTuple):
    """What the arguments say; see parse_arguments."""

    subjects: list[str]
    rounds: int
    only: list[str]
    skip: list[str]
    archive: str
    cache: str
    implementations: list[str]
    cold: bool
    json: str | None


def parse_arguments(arguments: Sequence[str]) -> Settings:
    """Return what *arguments* say. Ends the process when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="tools/bench/run",
        description="Compare ways to put kernel headers in front of a compiler.",
    )
    parser.add_argument(
        "subjects",
        nargs="*",
        metavar="SUBJECT",
        help=f"what to measure: {', '.join(SUBJECTS)}; by default all",
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often (%(default)s)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PATTERN", help="contenders to measure"
    )
    parser.add_argument(
        "--skip", action="append", default=[], metavar="PATTERN", help="contenders to leave out"
    )
    parser.add_argument("--archive", help="a header archive as the kernel's own script makes it")
    parser.add_argument(
        "--kheadersfs",
        action="append",
        default=[],
        metavar="[LABEL=]WHERE",
        help="a version of this project to measure: a checkout's directory, a commit or an "
        "executable; can be repeated; by default the working copy",
    )
    parser.add_argument(
        "--cold", action="store_true", help="build: the archive is not in the page cache either"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there; - is stdout")
    parser.add_argument(
        "--cache",
        default=os.path.join(
            os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "kheadersfs-bench"
        ),
        help="where archives and images are kept (%(default)s)",
    )
    values = parser.parse_args(arguments)
    for subject in values.subjects:
        if subject not in SUBJECTS:
            parser.error(f"{subject}: is none of {', '.join(SUBJECTS)}")
    if values.rounds < 1:
        parser.error("--rounds: at least 1")
    return Settings(
        values.subjects or list(SUBJECTS),
        values.rounds,
        values.only,
        values.skip,
        values.archive or find_archive(_likely_archives()),
        os.path.abspath(values.cache),
        values.kheadersfs or [f"kheadersfs={REPOSITORY}"],
        values.cold,
        values.json,
    )


def _likely_archives() -> list[str]:
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return [
        *glob.glob(os.path.join(REPOSITORY, "../shared/reference/kheaders-*.tar.xz")),
        "/sys/kernel/kheaders.tar.xz",
        *glob.glob(os.path.join(cache, "kheadersfs-tools", "*.tar.xz")),
    ]


class Bench(NamedTuple):
    """What all measurements share."""

    settings: Settings
    inputs: Inputs
    contenders: list[Contender]
    files: list[str]

    def build(self) -> list[dict[str, Any]]:
        """Measure, print and return what `build` is about."""
        workload = Workload(self.inputs.tree, self.inputs.log)
        measurement = build.BuildMeasurement(self.inputs, workload, self.settings.cold)
        outcomes, failures = build.measure_builds(
            self.contenders, self.settings.rounds, measurement
        )
        figures = build.summarise_builds(outcomes)
        build.print_builds(figures)
        print_absentees(failures)
        return build.describe_builds(figures, outcomes)

    def stat(self) -> list[dict[str, Any]]:
        """Measure, print and return what `stat` is about."""
        outcomes, failures = stat.measure_stats(self.contenders, self.settings.rounds, self.files)
        figures = stat.summarise_stats(outcomes)
        stat.print_stats(figures)
        print_absentees(failures)
        return stat.describe_stats(figures)

    def read(self) -> list[dict[str, Any]]:
        """Measure, print and return what `read` is about: one reader."""
        return self._read(1)

    def load(self) -> list[dict[str, Any]]:
        """Measure, print and return what `load` is about: ever more readers."""
        return [figures for readers in READERS for figures in self._read(readers)]

    def _read(self, readers: int) -> list[dict[str, Any]]:
        tree = self.inputs.tree
        size = sum(os.stat(os.path.join(tree, name)).st_size for name in self.files)
        outcomes, failures = reading.measure_reads(
            self.contenders, self.settings.rounds, self.files, readers
        )
        figures = reading.summarise_reads(outcomes, readers)
        reading.print_reads(figures, readers, size)
        print_absentees(failures)
        return reading.describe_reads(figures)


SUBJECTS: dict[str, Callable[[Bench], list[dict[str, Any]]]] = {
    "build": Bench.build,
    "stat": Bench.stat,
    "read": Bench.read,
    "load": Bench.load,
}


def main(arguments: Sequence[str]) -> int:
    """Run what *arguments* ask for. Returns the exit status."""
    try:
        settings = parse_arguments(arguments)
        os.makedirs(settings.cache, exist_ok=True)
        return run_isolated(lambda scratch: measure_all(settings, scratch), settings.cache)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def measure_all(settings: Settings, scratch: str) -> int:
    """Measure in the private namespaces, print, write. Returns the exit status."""
    try:
        machine = describe_machine()
        inputs = Inputs(settings.archive, settings.cache, scratch)
        inputs.extract_tree()
        implementations = [find_implementation(each, scratch) for each in settings.implementations]
        candidates = list_candidates(inputs, scratch, implementations)
        contenders, absentees = prepare(candidates, settings.only, settings.skip)
        print_absentees(absentees)
        bench = Bench(settings, inputs, contenders, list_files(inputs.tree))
        results = {subject: SUBJECTS[subject](bench) for subject in settings.subjects}
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if settings.json:
        write_json(
            settings.json,
            {
                "machine": machine,
                "not_measured": {absentee.key: absentee.reason for absentee in absentees},
                **results,
            },
        )
    return 0
