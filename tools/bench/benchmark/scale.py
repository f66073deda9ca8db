"""How mounting grows with the archive: copies of the reference, and a whole kernel source."""

from __future__ import annotations

import glob
import io
import os
import random
import subprocess
import tarfile
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.contenders import FORMS, Absentee
from benchmark.errors import BenchError, Failed, Unavailable
from benchmark.figures import Summary, growth, summarise_fields
from benchmark.inputs import LIMITS, list_names
from benchmark.machine import server_memory
from benchmark.processes import find_program, running
from benchmark.report import print_table, show
from benchmark.rounds import Outcome, measure_rounds
from benchmark.ways import Mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Choice
    from benchmark.implementations import Implementation
    from benchmark.inputs import Inputs

BUDGET = 300.0
"""Seconds for all rounds of one case."""
SOURCES = "sources"
"""What the whole kernel source is called among the sizes."""


class Case(NamedTuple):
    """An archive to mount. ``group`` is what it is compared with: the same form, other sizes."""

    key: str
    title: str
    group: str
    archive: str
    way: Mount

    def abandon(self) -> None:
        """See rounds.Participant."""
        self.way.abandon()


def list_cases(
    inputs: Inputs,
    implementations: Sequence[Implementation],
    sizes: Sequence[str],
    choice: Choice,
) -> tuple[list[Case], list[Absentee]]:
    """Return the archives to mount, as *sizes* has them: SOURCES, or multiples of the reference.

    Their keys are LABEL:FORM:SIZE, of which *choice* may leave some out.

    Those that cannot be had are named. Raises BenchError for what is no size.
    """
    cases: list[Case] = []
    absentees: list[Absentee] = []
    for implementation in implementations:
        for form, title in FORMS.items():
            group = f"{implementation.label}:{form}"
            for size in sizes:
                if not choice.has(f"{group}:{size}"):
                    continue
                try:
                    archive = _find_archive(inputs, implementation, form, size)
                except (Unavailable, Failed) as error:
                    absentees.append(Absentee(f"{group}:{size}", str(error)))
                    continue
                description = (
                    f"{implementation.label}, {_describe(form, title)}, {_describe_size(size)}"
                )
                way = _mount(inputs, implementation, archive)
                cases.append(Case(f"{group}:{size}", description, group, archive, way))
    return cases, absentees


def _describe(form: str, title: str) -> str:
    return "one-block .tar.xz" if form == "kernel-xz" else title


def _describe_size(size: str) -> str:
    return "linux-source" if size == SOURCES else f"x{size}"


def _mount(inputs: Inputs, implementation: Implementation, archive: str) -> Mount:
    program, mountpoint = implementation.executable, inputs.mountpoint
    return Mount(
        [program, "mount", *LIMITS, archive, mountpoint],
        [program, "umount", mountpoint],
        mountpoint,
        inputs.log,
    )


def _find_archive(inputs: Inputs, implementation: Implementation, form: str, size: str) -> str:
    """Return the path of an archive. Raises Unavailable, and BenchError for what is no size."""
    if size == SOURCES:
        plain = _find_sources()
    elif size == "1":
        plain = inputs.kernel_xz()
    elif size.isdecimal() and int(size):
        plain = inputs.cached(
            f"x{size}.tar.xz", lambda path: write_copies(inputs.tree, int(size), path)
        )
    else:
        raise BenchError(f"{size}: is no size; give multiples of the archive, or {SOURCES}")
    if form == "kernel-xz":
        return plain
    return inputs.repacked(implementation, plain, f"x{size}", form)


def _find_sources() -> str:
    packages = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    if not packages:
        raise Unavailable("the package linux-source is not installed")
    return packages[-1]


def write_copies(tree: str, copies: int, path: str) -> None:
    """Write a .tar.xz of one block with *copies* of *tree*, each in a directory of its own.

    Each copy of a file ends in a comment that no other has, so that nothing can be stored once.
    """
    _, files = list_names(tree)
    with open(path, "wb") as output:
        # A low level: the shape of the archive counts, not its size.
        compressor = subprocess.Popen(
            [find_program("xz"), "-1", "--threads=1"], stdin=subprocess.PIPE, stdout=output
        )
        assert compressor.stdin is not None
        with (
            compressor.stdin,
            tarfile.open(fileobj=compressor.stdin, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for copy in range(copies):
                _add_copy(tar, tree, files, copy)
    if compressor.wait():
        raise Failed(f"xz ended with status {compressor.returncode}")


def _add_copy(tar: tarfile.TarFile, tree: str, files: Sequence[str], copy: int) -> None:
    mark = f"/* {copy} */\n".encode()
    for name in files:
        with open(os.path.join(tree, name), "rb") as source:
            content = source.read() + mark
        member = tarfile.TarInfo(f"copy-{copy}/{name}")
        member.size = len(content)
        member.mode = 0o644
        tar.addfile(member, io.BytesIO(content))


class ScaleSample(NamedTuple):
    """Seconds for the mount command, the first listing of all, and one random file.

    Listing and file are each the first access to a new mount. In bytes, the highest resident size
    of the server until after the file, and until after the listing; ``names`` were listed.
    """

    mount: float
    file: float
    listing: float
    file_peak: int
    listing_peak: int
    names: int


def measure_cases(
    cases: Sequence[Case], rounds: int
) -> tuple[list[Outcome[Case, ScaleSample]], list[Absentee]]:
    """Measure all *cases*."""
    generator = random.Random(0)
    return measure_rounds(cases, rounds, lambda case: _measure(case, generator), BUDGET)


def _measure(case: Case, generator: random.Random) -> ScaleSample:
    way = case.way
    mount = way.show()
    began = perf_counter()
    names, files = list_names(way.directory)
    listing = perf_counter() - began
    listing_peak = server_memory(running()).peak
    way.hide()
    way.settle()
    way.show()
    began = perf_counter()
    with open(os.path.join(way.directory, generator.choice(files)), "rb") as chosen:
        chosen.read()
    file = perf_counter() - began
    file_peak = server_memory(running()).peak
    way.hide()
    way.settle()
    return ScaleSample(mount, file, listing, file_peak, listing_peak, names)


class ScaleFigures(NamedTuple):
    """One case's figures.

    ``per_name`` and ``per_byte`` are bytes of memory for each name, and for each byte of archive,
    that the smallest of its group does not have.
    """

    case: Case
    archive_size: int
    parts: dict[str, Summary]
    per_name: float | None
    per_byte: float | None


def summarise_cases(outcomes: Sequence[Outcome[Case, ScaleSample]]) -> list[ScaleFigures]:
    """Return the figures of all *outcomes*, each compared with the first of its group."""
    figures: list[ScaleFigures] = []
    smallest: dict[str, ScaleFigures] = {}
    for case, samples in outcomes:
        parts = summarise_fields(samples)
        row = ScaleFigures(case, os.stat(case.archive).st_size, parts, None, None)
        first = smallest.setdefault(case.group, row)
        names = parts["names"].median - first.parts["names"].median
        memory = parts["listing_peak"].median - first.parts["listing_peak"].median
        if names > 0:
            per_byte = memory / (row.archive_size - first.archive_size)
            row = row._replace(per_name=memory / names, per_byte=per_byte)
        figures.append(row)
    return figures


def print_cases(figures: Sequence[ScaleFigures]) -> None:
    """Print the table; ``x2.0`` is growth against the smallest archive of the same form."""
    smallest: dict[str, ScaleFigures] = {}
    rows = []
    for row in figures:
        first = smallest.setdefault(row.case.group, row)
        cells = [row.case.title, show(row.parts["names"], ".0f"), f"{row.archive_size / 1e6:.1f}"]
        for name, factor, form in (
            ("mount", 1e3, ".0f"),
            ("file", 1e3, ".0f"),
            ("listing", 1e3, ".0f"),
            ("file_peak", 1e-6, ".1f"),
            ("listing_peak", 1e-6, ".1f"),
        ):
            value = row.parts[name]
            cells.append(show(value.scaled(factor), form))
            cells.append(growth(first.parts[name].median, value.median))
        cells.append("-" if row.per_name is None else f"{row.per_name:.0f}")
        cells.append("-" if row.per_byte is None else f"{row.per_byte:.2f}")
        rows.append(cells)
    print_table(
        "scale: mount, one random file of a new mount, list all of a new mount; "
        "xN: against the smallest",
        [
            *("", "names", "MB", "mount ms", "", "one file ms", "", "list all ms", ""),
            *("peak MB, file", "", "list", "", "B/name", "B/archive B"),
        ],
        rows,
    )


def describe_cases(figures: Sequence[ScaleFigures]) -> list[dict[str, Any]]:
    """Return the figures for JSON, in seconds and bytes."""
    return [
        {
            "key": row.case.key,
            "title": row.case.title,
            "archive_size": row.archive_size,
            "bytes_per_name": row.per_name,
            "bytes_per_archive_byte": row.per_byte,
            "parts": {name: part._asdict() for name, part in row.parts.items()},
        }
        for row in figures
    ]
