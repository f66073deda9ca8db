"""Make an archive from a configured kernel tree: the kernel's own script beside ours."""

from __future__ import annotations

import glob
import os
import platform
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.errors import Unavailable
from benchmark.figures import Summary, summarise
from benchmark.machine import proportional_memory
from benchmark.processes import (
    Command,
    find_program,
    kill_all,
    list_others,
    start,
    timed_run,
    wait,
)
from benchmark.report import print_table, show, show_spread
from benchmark.rounds import Outcome, measure_rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.contenders import Absentee
    from benchmark.implementations import Implementation
    from benchmark.inputs import Inputs

BUDGET = 300.0
"""Seconds for all rounds of one packer: nine of the kernel's script."""
POLL = 0.01
"""Seconds between two looks at memory."""
SRCARCH = {"x86_64": "x86", "aarch64": "arm64", "riscv64": "riscv", "s390x": "s390"}
OUTPUT = "kernel/kheaders_data.tar.xz"
_PARTS = (".config", "Makefile", "Kconfig", "include", "kernel/gen_kheaders.sh")


class KernelTree:
    """What of a configured kernel tree goes into an archive; *source* is such a tree."""

    def __init__(self, source: str, srcarch: str, inputs: Inputs) -> None:
        self.srcarch = srcarch
        self._source = source
        self._inputs = inputs

    def copy(self, name: str) -> str:
        """Return the path of a new private copy, a directory called *name*."""
        directory = os.path.join(self._inputs.scratch, name)
        _copy_parts(self._source, directory, self.srcarch, self._inputs)
        return directory


def find_kernel_tree(named: str | None, inputs: Inputs) -> KernelTree:
    """Return the tree *named*, else that of a source package, configured for this machine.

    Raises Unavailable when there is neither.
    """
    srcarch = SRCARCH.get(platform.machine(), platform.machine())
    if named is None:
        named = inputs.cached("kernel-tree", lambda path: _configure(path, srcarch, inputs))
    return KernelTree(os.path.abspath(named), srcarch, inputs)


def _configure(directory: str, srcarch: str, inputs: Inputs) -> None:
    """Unpack Debian's linux-source, configure it, put what is needed of it in *directory*."""
    packages = sorted(glob.glob("/usr/src/linux-source-*.tar.xz"))
    if not packages:
        raise Unavailable("no kernel tree: name one with --tree, or install linux-source")
    whole = os.path.join(inputs.scratch, "linux-source")
    os.mkdir(whole)
    inputs.run(
        *(find_program("tar"), "-xf", packages[-1], "-C", whole, "--strip-components=1"),
    )
    make = find_program("make")
    inputs.run(make, "-s", "-C", whole, "defconfig")
    inputs.run(f"{whole}/scripts/config", "--file", f"{whole}/.config", "-e", "IKHEADERS")
    inputs.run(make, "-s", "-C", whole, f"-j{os.cpu_count()}", "olddefconfig", "prepare")
    _copy_parts(whole, directory, srcarch, inputs)
    shutil.rmtree(whole)


def _copy_parts(tree: str, directory: str, srcarch: str, inputs: Inputs) -> None:
    os.mkdir(directory)
    parts = [*_PARTS, f"arch/{srcarch}/include", f"arch/{srcarch}/Makefile"]
    script = 'cd "$1" && shift && target=$1 && shift && exec cp -a --parents "$@" "$target"'
    inputs.run("/bin/sh", "-c", script, "cp", tree, directory, *parts)


class Packer(NamedTuple):
    """One way to make an archive.

    ``command`` makes ``output``, which is removed first if that is wanted.
    """

    key: str
    title: str
    command: Command
    output: str
    remove_first: bool

    def abandon(self) -> None:
        """See rounds.Participant."""
        kill_all()


def list_packers(
    tree: KernelTree, inputs: Inputs, implementations: Sequence[Implementation]
) -> list[Packer]:
    """Return all that can make an archive from *tree*."""
    theirs = tree.copy("tree-kernel")
    packers = _list_script(
        ("kernel", "the kernel's gen_kheaders.sh"),
        os.path.join(theirs, "kernel/gen_kheaders.sh"),
        theirs,
        tree.srcarch,
        inputs,
    )
    for implementation in implementations:
        label = implementation.label
        packers += _list_commands(implementation, tree.copy(f"tree-{label}"), inputs)
        if implementation.checkout is None:
            continue
        script = os.path.join(implementation.checkout, "tools", "gen_kheaders.sh")
        if os.path.exists(script):
            names = (f"{label}:gen_kheaders", f"{label}, tools/gen_kheaders.sh")
            directory = tree.copy(f"tree-{label}-script")
            packers += _list_script(names, script, directory, tree.srcarch, inputs)
    return packers


def _list_script(
    names: tuple[str, str], script: str, directory: str, srcarch: str, inputs: Inputs
) -> list[Packer]:
    """Return the packers (key and title in *names*) that run *script* as kbuild does before 6.17.

    The script has the tree at *directory* for itself.
    """
    key, title = names
    environment = {
        **os.environ,
        "srctree": ".",
        "SRCARCH": srcarch,
        "XZ": find_program("xz"),
        "CONFIG_SHELL": "/bin/sh",
        "PYTHON3": sys.executable,
    }
    # It is run in the object tree.
    arguments = [find_program("env"), f"--chdir={directory}", "/bin/sh", script, OUTPUT]
    command = Command(arguments, environment, inputs.log)
    output = os.path.join(directory, OUTPUT)
    return [
        Packer(key, title, command, output, remove_first=True),
        # Follows a run of the one above, or warms up by being one.
        Packer(f"{key}:unchanged", f"{title}, nothing changed", command, output, False),
    ]


def _list_commands(implementation: Implementation, directory: str, inputs: Inputs) -> list[Packer]:
    packers = []
    for compression, suffix in (("xz", "xz"), ("zstd", "zst")):
        output = os.path.join(inputs.scratch, f"pack-{implementation.label}.tar.{suffix}")
        arguments = [
            *(implementation.executable, "pack", "--srctree", directory, "--objtree", directory),
            *("--compress", compression, "-o", output),
        ]
        command = Command(arguments, os.environ, inputs.log)
        title = f"{implementation.label} pack, .tar.{suffix}"
        packers.append(
            Packer(f"{implementation.label}:{compression}", title, command, output, True)
        )
    return packers


class PackSample(NamedTuple):
    """Seconds and bytes."""

    seconds: float
    size: int


class PackFigures(NamedTuple):
    """One packer's figures: seconds, bytes of the archive, bytes of memory at the most."""

    packer: Packer
    seconds: Summary
    size: int
    peak: int


def measure_packers(
    packers: Sequence[Packer], rounds: int
) -> tuple[list[PackFigures], list[Absentee]]:
    """Measure all *packers*: time in interleaved rounds, memory in one more run."""
    outcomes, failures = measure_rounds(packers, rounds, _measure, BUDGET)
    return [_finish(outcome) for outcome in outcomes], failures


def _measure(packer: Packer) -> PackSample:
    _prepare(packer)
    seconds = timed_run(packer.command)
    return PackSample(seconds, os.stat(packer.output).st_size)


def _prepare(packer: Packer) -> None:
    if packer.remove_first and os.path.exists(packer.output):
        os.unlink(packer.output)


def _finish(outcome: Outcome[Packer, PackSample]) -> PackFigures:
    packer, samples = outcome
    return PackFigures(
        packer,
        summarise([sample.seconds for sample in samples]),
        samples[-1].size,
        measure_peak(packer),
    )


def measure_peak(packer: Packer) -> int:
    """Run *packer* once more. Returns the most memory that its processes held together."""
    _prepare(packer)
    pid = start(packer.command)
    peak = 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, proportional_memory(list_others()))
        time.sleep(POLL)
    wait(pid, packer.command)
    return peak


def print_packers(figures: Sequence[PackFigures]) -> None:
    """Print the table."""
    rows = [
        [
            row.packer.title,
            show(row.seconds, ".2f"),
            show_spread(row.seconds, ".2f"),
            f"{row.size / 1e6:.3f}",
            f"{row.peak / 1e6:.0f}",
            str(row.seconds.rounds),
        ]
        for row in figures
    ]
    print_table(
        "pack: make the archive from a kernel tree",
        ["", "s", "quartiles", "archive MB", "peak MB", "rounds"],
        rows,
    )


def describe_packers(figures: Sequence[PackFigures]) -> list[dict[str, Any]]:
    """Return the figures for JSON, in seconds and bytes."""
    return [
        {
            "key": row.packer.key,
            "title": row.packer.title,
            "seconds": row.seconds._asdict(),
            "size": row.size,
            "peak": row.peak,
        }
        for row in figures
    ]
