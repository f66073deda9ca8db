"""The runs that are kept, and what they say together: medians of all, and their range.

A run of everybody is kept, however it came out. The best of several says nothing.
"""

from __future__ import annotations

import os
import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import BASELINE, Family
from benchmark.errors import BenchError
from benchmark.figures import summarise
from benchmark.host import host_of
from benchmark.implementations import REPOSITORY
from benchmark.report import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.host import Host

DIRECTORY = os.path.join(REPOSITORY, "tools", "bench", "runs")
_RATIOS = ("total", "second")
_PARTS = ("visible", "first", "away", "requests", "second_requests")


class Range(NamedTuple):
    """The median of all runs' medians, from the lowest of these to the highest.

    Of a single run it is from the lower to the upper quartile of its rounds.
    """

    median: float
    low: float
    high: float


class Row(NamedTuple):
    """One contender in all runs on one host.

    ``figures`` are, if measured, "total" and "second", relative to the baseline; "visible", "first"
    and "away" in seconds; "requests" and "second_requests".
    """

    key: str
    title: str
    family: Family
    figures: dict[str, Range]


class Results(NamedTuple):
    """What all runs of one version on one host say; the best total comes first.

    ``paired`` tells whether each sample was compared with the baseline's builds just before and
    after it. Older runs compare all with the median of the baseline's own. ``baselines`` are the
    seconds that the baseline took in each run, ``versions`` those of this project.
    """

    host: Host
    paired: bool
    rows: list[Row]
    baselines: list[float]
    loads: list[float]
    versions: list[str]
    rounds: int


def path_for(host: Host) -> str:
    """Return where a run that is made now is kept."""
    when = host.when.replace(" ", "-").replace(":", "")
    return os.path.join(DIRECTORY, f"{when}-{host.idle_driver}.json")


def read_runs(directory: str = DIRECTORY) -> list[Results]:
    """Return what the runs in *directory* say, by host; who was measured last comes first.

    Runs of other versions, or that were compared with the baseline in another way, are not mixed
    with the others. Raises BenchError when there is none.
    """
    names = os.listdir(directory) if os.path.isdir(directory) else []
    documents = [
        read_json(os.path.join(directory, name)) for name in sorted(names) if name.endswith(".json")
    ]
    if not documents:
        raise BenchError(f"{directory}: has no runs; tools/bench/run build makes one")
    alike: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for document in sorted(documents, key=lambda each: host_of(each).when):
        key = host_of(document).title, *document["versions"].items(), _is_paired(document)
        alike.setdefault(key, []).append(document)
    results = [summarise_runs(each) for each in alike.values()]
    return sorted(results, key=lambda each: each.host.when, reverse=True)


def summarise_runs(documents: Sequence[dict[str, Any]]) -> Results:
    """Return what *documents*, of runs on one host in the order of their dates, say together.

    All of them are paired, or none is.
    """
    samples: dict[str, list[dict[str, list[float]]]] = {}
    identities: dict[str, tuple[str, Family]] = {}
    for document in documents:
        for row in document["build"]:
            samples.setdefault(row["key"], []).append(_columns(row, _unit(document)))
            identities[row["key"]] = row["title"], row["family"]
    rows = [
        Row(
            key,
            *identities[key],
            {
                name: summarise_columns([run[name] for run in runs if name in run])
                for name in (*_RATIOS, *_PARTS)
                if any(name in run for run in runs)
            },
        )
        for key, runs in samples.items()
    ]
    hosts = [host_of(document) for document in documents]
    versions = dict.fromkeys(
        version for each in documents for version in each["versions"].values() if version
    )
    return Results(
        hosts[-1],
        _is_paired(documents[-1]),
        sorted(rows, key=lambda row: row.figures["total"].median),
        [_unit(document) for document in documents],
        [host.load for host in hosts],
        list(versions),
        min(document["rounds"] for document in documents),
    )


def summarise_columns(runs: Sequence[Sequence[float]]) -> Range:
    """Return the range of the samples of each of *runs*, at least one with at least one."""
    if len(runs) == 1:
        alone = summarise(runs[0])
        return Range(alone.median, alone.low, alone.high)
    medians = [statistics.median(samples) for samples in runs]
    return Range(statistics.median(medians), min(medians), max(medians))


def _is_paired(document: dict[str, Any]) -> bool:
    """Tell whether each sample of *document* has a unit of its own."""
    return all("unit" in sample for row in document["build"] for sample in row["samples"])


def _unit(document: dict[str, Any]) -> float:
    """Return the seconds that 1.00 stands for in *document*: the median, if samples have units."""
    name, rows = "unit", document["build"]
    if not _is_paired(document):
        name, rows = "total", [row for row in rows if row["key"] == BASELINE]
    seconds: list[float] = [sample[name] for row in rows for sample in row["samples"]]
    return statistics.median(seconds)


def _columns(row: dict[str, Any], unit: float) -> dict[str, list[float]]:
    """Return the samples of *row* by name, ratios to the unit of each sample, or else to *unit*."""
    columns = {}
    for name in (*_RATIOS, *_PARTS):
        values = [
            sample[name] / sample.get("unit", unit) if name in _RATIOS else sample[name]
            for sample in row["samples"]
            if sample.get(name) is not None
        ]
        if values:
            columns[name] = values
    return columns
