"""The command line: what to measure, with whom, how often, and where the figures go."""

from __future__ import annotations

import argparse
import glob
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import Choice, list_candidates, prepare
from benchmark.errors import BenchError
from benchmark.host import describe_host
from benchmark.implementations import REPOSITORY, find_implementation
from benchmark.inputs import Inputs, find_archive, list_names
from benchmark.isolation import run_isolated
from benchmark.publishing import publish
from benchmark.report import print_absentees, write_json
from benchmark.runs import path_for
from benchmark.subjects import SELF_SUFFICIENT, SUBJECTS, Bench, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


class Arguments(NamedTuple):
    """What the command line says."""

    subjects: list[str]
    archive: str
    cache: str
    implementations: list[str]
    json: str | None
    publish: bool
    keep: bool
    settings: Settings


def parse_arguments(arguments: Sequence[str]) -> Arguments:
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
    parser.add_argument(
        "--rounds", type=int, default=9, metavar="N", help="how often each (%(default)s)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="contenders to measure, by key, as in 'kheadersfs:xz*'; can be repeated",
    )
    parser.add_argument(
        "--skip", action="append", default=[], metavar="PATTERN", help="contenders to leave out"
    )
    parser.add_argument("--list", action="store_true", help="print the contenders' keys, and end")
    parser.add_argument(
        "--archive", metavar="FILE", help="a header archive as the kernel's own script makes it"
    )
    parser.add_argument(
        "--kheadersfs",
        action="append",
        default=[],
        metavar="[LABEL=]WHERE",
        help="a version of this project: a checkout's directory, a commit, or an executable; "
        "can be repeated; by default the working copy",
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--no-keep", action="store_true", help="build: do not keep a run of everybody"
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="measure nothing: make the chart and the documents' tables of the runs that are kept",
    )
    parser.add_argument(
        "--cold",
        action="store_true",
        help="build: archives and all programs but the compiler come from the disk",
    )
    parser.add_argument(
        "--idle",
        type=float,
        default=60.0,
        metavar="S",
        help="memory: seconds without access to wait, once for each; 0 for none (%(default)g)",
    )
    parser.add_argument(
        "--tree", metavar="DIR", help="pack: a configured kernel tree, built in place"
    )
    parser.add_argument(
        "--sizes",
        default="1,4,16,64,sources",
        metavar="N,...",
        help="scale: multiples of the archive; sources is all of linux-source (%(default)s)",
    )
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    parser.add_argument(
        "--cache",
        default=os.path.join(cache, "kheadersfs-bench"),
        metavar="DIR",
        help="where archives and images are kept, on a disk (%(default)s)",
    )
    values = parser.parse_args(arguments)
    for subject in values.subjects:
        if subject not in SUBJECTS:
            parser.error(f"{subject}: is none of {', '.join(SUBJECTS)}")
    if values.rounds < 1:
        parser.error("--rounds: at least 1")
    return Arguments(
        [] if values.list else values.subjects or list(SUBJECTS),
        values.archive or find_archive(_likely_archives(cache)),
        os.path.abspath(values.cache),
        values.kheadersfs or [f"kheadersfs={REPOSITORY}"],
        values.json,
        values.publish,
        not (values.no_keep or values.only or values.kheadersfs or values.cold),
        Settings(
            values.rounds,
            values.cold,
            values.idle,
            values.tree,
            values.sizes.split(","),
            Choice(values.only, values.skip),
        ),
    )


def _likely_archives(cache: str) -> list[str]:
    return [
        *glob.glob(os.path.join(REPOSITORY, "../shared/reference/kheaders-*.tar.xz")),
        "/sys/kernel/kheaders.tar.xz",
        *glob.glob(os.path.join(cache, "kheadersfs-tools", "*.tar.xz")),
    ]


def main(arguments: Sequence[str]) -> int:
    """Run what *arguments* ask for. Returns the exit status."""
    try:
        parsed = parse_arguments(arguments)
        if parsed.publish:
            publish()
            return 0
        os.makedirs(parsed.cache, exist_ok=True)
        return run_isolated(lambda scratch: measure_all(parsed, scratch), parsed.cache)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def measure_all(arguments: Arguments, scratch: str) -> int:
    """Measure, print and write. Returns the exit status; raises BenchError."""
    host = describe_host()
    inputs = Inputs(arguments.archive, arguments.cache, scratch)
    implementations = [find_implementation(each, scratch) for each in arguments.implementations]
    candidates = list_candidates(inputs, scratch, implementations)
    if not arguments.subjects:
        print("\n".join(f"{candidate.key:32}{candidate.title}" for candidate in candidates))
        return 0
    inputs.extract_tree()
    if SELF_SUFFICIENT.issuperset(arguments.subjects):
        candidates = []
    contenders, absentees = prepare(candidates, arguments.settings.choice)
    print(f"{host.title}; kernel {host.kernel}, liblzma {host.liblzma}, load {host.load}")
    print_absentees(absentees)
    bench = Bench(
        arguments.settings, inputs, implementations, contenders, list_names(inputs.tree)[1]
    )
    document: dict[str, Any] = {
        "host": host._asdict(),
        "versions": {each.label: each.version for each in implementations},
        "rounds": arguments.settings.rounds,
        "not_measured": {absentee.key: absentee.reason for absentee in absentees},
    }
    for subject in arguments.subjects:
        document[subject] = SUBJECTS[subject](bench)
        if arguments.json is not None:
            # After each, because all of them take hours.
            write_json(arguments.json, document)
        if subject == "build" and arguments.keep:
            write_json(path_for(host), document)
    return 0
