"""Read every file once that nobody has read before, by one reader or by many at once."""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import BASELINE, Contender
from benchmark.errors import Failed
from benchmark.figures import Summary, percentile, summarise_fields
from benchmark.machine import drop_caches
from benchmark.report import print_table, show, show_spread
from benchmark.rounds import Outcome, measure_rounds
from benchmark.stat import WARM_UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee

CHUNK = 1 << 17
"""What one read(2) asks for, as cat(1) does."""
PATIENCE = 60
"""Seconds that reading everything may take."""
_RECORD = struct.Struct("<dd")  # seconds that one file took, and when it was done


class ReadSample(NamedTuple):
    """One cold reading of everything by some readers.

    In seconds: ``wall`` until the last reader is done, ``worst`` and ``high`` the longest and the
    99th percentile of opening, reading and closing one file. ``earliest`` is when the first reader
    was done, as a share of ``wall``: near 1 when all advanced alike, near 0 when some starved.
    """

    wall: float
    worst: float
    high: float
    earliest: float


def measure_reads(
    contenders: Sequence[Contender], rounds: int, files: Sequence[str], readers: int
) -> tuple[list[Outcome[Contender, ReadSample]], list[Absentee]]:
    """Have *readers* processes share the reading of *files*, which are relative paths."""
    return measure_rounds(
        contenders,
        rounds,
        lambda contender: _measure(contender, files, readers),
    )


def _measure(contender: Contender, files: Sequence[str], readers: int) -> ReadSample:
    way = contender.way
    way.show()
    os.stat(os.path.join(way.directory, WARM_UP))
    drop_caches()
    paths = [os.path.join(way.directory, name) for name in files]
    if readers > 1:
        # One reader goes through in order, as tar or grep does; many are after different things.
        random.Random(readers).shuffle(paths)
    sample = read_in_parallel(paths, readers)
    way.hide()
    way.settle()
    return sample


def read_in_parallel(paths: Sequence[str], readers: int) -> ReadSample:
    """Read *paths* with *readers* processes that start together. Raises Failed.

    There are no more readers than paths.
    """
    shares = [paths[number::readers] for number in range(min(readers, len(paths)))]
    waiting, starting = os.pipe()
    with mmap.mmap(-1, _RECORD.size * len(paths)) as records:
        pids = []
        position = 0
        for share in shares:
            pid = os.fork()
            if pid == 0:
                os.close(starting)
                _run_reader(share, records, position, waiting)
            pids.append(pid)
            position += _RECORD.size * len(share)
        os.close(waiting)
        began = perf_counter()
        os.close(starting)
        statuses = [os.waitpid(pid, 0)[1] for pid in pids]
        wall = perf_counter() - began
        if any(statuses):
            raise Failed(_describe_failure([os.waitstatus_to_exitcode(each) for each in statuses]))
        results = list(_RECORD.iter_unpack(records[:]))
    latencies = sorted(latency for latency, _ in results)
    ends = [
        max(when for _, when in results[start : start + len(share)])
        for start, share in _positions(shares)
    ]
    return ReadSample(
        wall, latencies[-1], percentile(latencies, 0.99), (min(ends) - began) / (max(ends) - began)
    )


def _describe_failure(codes: Sequence[int]) -> str:
    failed = sum(map(bool, codes))
    if -signal.SIGALRM in codes:
        return f"{failed} of {len(codes)} readers were not done after {PATIENCE} s"
    return f"{failed} of {len(codes)} readers could not read a file"


def _positions(shares: Sequence[Sequence[str]]) -> list[tuple[int, Sequence[str]]]:
    """Return (where its results start, share) of all *shares*."""
    positions = []
    start = 0
    for share in shares:
        positions.append((start, share))
        start += len(share)
    return positions


def _run_reader(paths: Sequence[str], records: mmap.mmap, position: int, waiting: int) -> None:
    """Wait for the start, read *paths*, write a record for each at *position*; end the process."""
    status = 1
    try:
        os.read(waiting, 1)
        signal.alarm(PATIENCE)
        for path in paths:
            began = perf_counter()
            _read_file(path)
            ended = perf_counter()
            _RECORD.pack_into(records, position, ended - began, ended)
            position += _RECORD.size
        status = 0
    finally:
        os._exit(status)


def _read_file(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    while os.read(descriptor, CHUNK):
        pass
    os.close(descriptor)


class ReadFigures(NamedTuple):
    """One contender's figures with a number of readers; ``ratio`` is time against the baseline."""

    contender: Contender
    readers: int
    ratio: float
    parts: dict[str, Summary]


def summarise_reads(
    outcomes: Sequence[Outcome[Contender, ReadSample]], readers: int
) -> list[ReadFigures]:
    """Return the figures of all *outcomes*, one of which is the baseline's, fastest first."""
    summaries = {contender: summarise_fields(samples) for contender, samples in outcomes}
    unit = next(parts["wall"].median for each, parts in summaries.items() if each.key == BASELINE)
    figures = [
        ReadFigures(contender, readers, parts["wall"].median / unit, parts)
        for contender, parts in summaries.items()
    ]
    return sorted(figures, key=lambda row: row.parts["wall"].median)


def print_reads(figures: Sequence[ReadFigures], readers: int, size: int) -> None:
    """Print the table for *readers*, who read *size* bytes together."""
    rows = [
        [
            row.contender.title,
            f"{row.ratio:.2f}",
            show(row.parts["wall"].scaled(1e3), ".0f"),
            show_spread(row.parts["wall"].scaled(1e3), ".0f"),
            format(size / row.parts["wall"].median / 1e6, ".0f"),
            show(row.parts["high"].scaled(1e3), ".2f"),
            show(row.parts["worst"].scaled(1e3), ".1f"),
            show(row.parts["earliest"], ".2f"),
            str(row.parts["wall"].rounds),
        ]
        for row in figures
    ]
    print_table(
        f"read: every file once, cold, {readers} reader{'s' if readers > 1 else ''}",
        [
            "",
            "ratio",
            "ms",
            "quartiles",
            "MB/s",
            "99 % file ms",
            "worst ms",
            "first/last",
            "rounds",
        ],
        rows,
    )


def describe_reads(figures: Sequence[ReadFigures]) -> list[dict[str, Any]]:
    """Return the figures for JSON, in seconds."""
    return [
        {
            "key": row.contender.key,
            "title": row.contender.title,
            "readers": row.readers,
            "ratio": row.ratio,
            "parts": {name: part._asdict() for name, part in row.parts.items()},
        }
        for row in figures
    ]
