"""Many kernels in one archive: its size, what making and using it takes, and what else there is.

``tools/bench/fleet ARCHIVE...`` takes an archive of each kernel, the first of which is the one that
the others are compared with. What it prints is the table of tools/docs/fleet.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmark.errors import BenchError
from benchmark.isolation import run_isolated
from benchmark.machine import drop_caches
from benchmark.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

KHEADERSFS = (sys.executable, "-m", "kheadersfs")


class Made(NamedTuple):
    """A file: its size in bytes, the seconds it took, and the most memory of a process in bytes.

    The process is the command or one that it has waited for.
    """

    size: int
    seconds: float
    memory: int


def make(command: Sequence[str], output: str) -> Made:
    """Run *command*, which makes *output*. Raises CalledProcessError."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Made(os.stat(output).st_size, time.monotonic() - began, usage.ru_maxrss << 10)


def merge(archives: Sequence[str], output: str) -> Made:
    """Merge *archives*."""
    return make([*KHEADERSFS, "merge", *archives, "-o", output], output)


def others(tree: str, scratch: str) -> Iterator[tuple[str, list[str], str]]:
    """Yield name, command and output of each other way to have what is in *tree* in a file."""
    image = os.path.join(scratch, "image")
    quiet = ["-noappend", "-quiet", "-no-progress"]
    yield (
        "squashfs -comp xz -b 1M",
        ["mksquashfs", tree, image, "-comp", "xz", "-b", "1M", *quiet],
        image,
    )
    yield "erofs -Ededupe", ["mkfs.erofs", "-zlz4hc,12", "-Ededupe", image, tree], image
    shell = f"tar --sort=name -C {tree} -cf - . | zstd -q -19 --long=27 -f -o {image}"
    yield "tar, zstd -19 --long=27", ["sh", "-c", shell], image
    yield "dwarfs", ["mkdwarfs", "-i", tree, "-o", image, "-f"], image


def release_of(archive: str) -> str:
    """Return the release that *archive* says."""
    command = [*KHEADERSFS, "info", "--json", archive]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return str(told["release"])


class Mounted:
    """An archive at a directory, for as long as the block."""

    def __init__(self, directory: str, *words: str) -> None:
        self.directory = directory
        self._words = words

    def __enter__(self) -> Mounted:
        subprocess.run([*KHEADERSFS, "mount", *self._words, self.directory], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*KHEADERSFS, "umount", self.directory], check=True)

    def resident(self) -> int:
        """Return what the server holds, in bytes."""
        command = [*KHEADERSFS, "status", "--json", self.directory]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        status = told[0] if isinstance(told, list) else told
        return int(status["resident"])


def first_build(workload: Workload, directory: str, *words: str) -> float:
    """Return the seconds that a mount and a first build in it take."""
    drop_caches()
    began = time.monotonic()
    with Mounted(directory, *words) as mounted:
        workload.build(mounted.directory, os.devnull)
        return time.monotonic() - began


def interleave(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median of each of *ways*, measured in turn."""
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            samples[name].append(way())
    return {name: median(found) for name, found in samples.items()}


def measure_sizes(archives: Sequence[str], fleet: str, scratch: str) -> None:
    """Print the table of sizes; *fleet* is made of *archives*."""
    one = merge(archives[:1], os.path.join(scratch, f"one{suffix_of(fleet)}"))
    print("| what | bytes | over one | s | MB |\n|---|---|---|---|---|")

    def row(name: str, made: Made) -> None:
        figures = (f"{made.size / one.size:.3f}", f"{made.seconds:.0f}", f"{made.memory / 1e6:.0f}")
        print(f"| {name} | {made.size:,} | {' | '.join(figures)} |", flush=True)

    row("merge of one", one)
    row(f"merge of {len(archives)}", merge(archives, fleet))
    tree = os.path.join(scratch, "tree")
    os.mkdir(tree)
    subprocess.run(["tar", "-xf", fleet, "-C", tree], check=True)
    for name, command, output in others(tree, scratch):
        try:
            row(name, make(command, output))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"| {name} | not to be had: {error} | | | |".replace("\n", " "))
    shutil.rmtree(tree)


def suffix_of(path: str) -> str:
    """Return what tells the form: .tar.zst or .tar.xz."""
    return ".tar.xz" if path.endswith(".xz") else ".tar.zst"


def measure_use(one: str, fleets: Sequence[str], scratch: str, rounds: int) -> None:
    """Print what a first build takes in one kernel of *fleets*, over *one* kernel's archive."""
    directory, tree = os.path.join(scratch, "mounted"), os.path.join(scratch, "configured")
    release = release_of(one)
    for path in (directory, tree):
        os.mkdir(path)
    subprocess.run(["tar", "-xf", one, "-C", tree], check=True)
    workload = Workload(tree, os.path.join(scratch, "log"))
    ways = {"one kernel's": partial(first_build, workload, directory, one)}
    for fleet in fleets:
        words = ("--release", release, fleet)
        ways[os.path.basename(fleet)] = partial(first_build, workload, directory, *words)
    print("\n| mount and first build in | s | over one |\n|---|---|---|")
    found = interleave(ways, rounds)
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / found[next(iter(found))]:.2f} |", flush=True)
    print("\n| server after builds | MB |\n|---|---|")
    with Mounted(directory, one) as mounted:
        workload.build(directory, os.devnull)
        print(f"| one kernel's archive, one build | {mounted.resident() / 1e6:.1f} |")
    for fleet in fleets[:1]:
        with Mounted(directory, fleet) as mounted:
            kernels = sorted(os.listdir(directory))
            for kernel in kernels:
                workload.build(os.path.join(directory, kernel), os.devnull)
            held = mounted.resident() / 1e6
            print(f"| {os.path.basename(fleet)}, {len(kernels)} builds | {held:.1f} |")


def measure(values: argparse.Namespace, scratch: str) -> int:
    """Measure with files in *scratch*, and print tables in Markdown. Returns the exit status."""
    fleet = os.path.join(scratch, f"{len(values.archives)}-kernels.tar.{values.compress}")
    measure_sizes(values.archives, fleet, scratch)
    measure_use(values.archives[0], [fleet, *values.fleet], scratch, values.rounds)
    return 0


def main() -> int:
    """Do what the command line says. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="tools/bench/fleet", description=__doc__)
    parser.add_argument("archives", metavar="ARCHIVE", nargs="+", help="one of each kernel")
    parser.add_argument("--fleet", action="append", default=[], help="one more to build in")
    parser.add_argument("--rounds", type=int, default=7, help="how often each (%(default)s)")
    parser.add_argument("--compress", choices=("xz", "zst"), default="zst")
    values = parser.parse_args()
    try:
        return run_isolated(partial(measure, values), os.environ.get("TMPDIR", "/var/tmp"))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
