"""Which headers of a kernel clang reads for its machine, and which of these for the bpf target.

``PYTHONPATH=tools/matrix python -m kernel_matrix.reading [--every N] TREE...`` prints a row for
each directory with merged headers, then what is refused; tools/docs/bpf-target.md has the rows.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kernel_matrix.compiling import COMPILERS, target_of
from kheadersfs.bpf.toolchain import cflags

if TYPE_CHECKING:
    from collections.abc import Sequence

TRIPLES = {
    "x86": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "arm": "armv7-linux-gnueabihf",
    "riscv": "riscv64-linux-gnu",
    "powerpc": "powerpc64le-linux-gnu",
    "s390": "s390x-linux-gnu",
    "mips": "mipsel-linux-gnu",
    "loongarch": "loongarch64-linux-gnu",
}
"""What clang calls the machine, by the directory below ``arch/``."""
NATIVE_COMPILER = "clang-19"
"""clang knows LoongArch since version 16."""

_TRIPLE_OF_X86_32 = "i386-linux-gnu"
_64_BITS = "CONFIG_64BIT 1"
_TOGETHER = 400
_JOBS = 2
_INCLUDED_BY_US = re.compile(r"In file included from <stdin>:(\d+):")
_ERROR = re.compile(
    r"(?:^|/)(include/[^:\s]+|arch/[^:\s]+|<stdin>):\d+:\d+: (?:fatal )?error: (.+)"
)


class Survey(NamedTuple):
    """What came of the headers in ``include/linux`` of one kernel.

    *headers* is how many there are, *native* the names of those that are read for the machine.
    *refused* has, by compiler, those of *native* that are not read for BPF, with the first error.
    """

    arch: str
    headers: int
    native: list[str]
    refused: dict[str, dict[str, str]]


def survey(tree: Path, native_compiler: str, compilers: Sequence[str], step: int = 1) -> Survey:
    """Read every *step*-th header in ``include/linux`` of *tree* with the flags of ``cflags``.

    Many are read in one go, which takes a tenth of the time; those that BPF refuses, alone too.
    """
    (arch,) = (entry.name for entry in (tree / "arch").iterdir())
    names = sorted(f"linux/{path.name}" for path in (tree / "include/linux").glob("*.h"))[::step]
    configuration = (tree / "include/generated/autoconf.h").read_text()
    triple = TRIPLES[arch]
    if arch == "x86" and _64_BITS not in configuration:
        triple = _TRIPLE_OF_X86_32
    # Where gcc built the kernel, headers of powerpc have constraints that only gcc knows.
    flags = [*cflags(str(tree)), "-DCONFIG_CC_IS_CLANG=1", '-DKBUILD_MODNAME="bpf"']
    native = [native_compiler, "-target", triple, *flags, "-fsyntax-only"]
    flags = [*cflags(str(tree), bpf=True), "-g", "-c", "-o", "/dev/null"]
    bpf = {compiler: [compiler, "-target", target_of(tree), *flags] for compiler in compilers}
    groups = [names[start : start + _TOGETHER] for start in range(0, len(names), _TOGETHER)]

    def read_group(group: list[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
        suspects = _suspects(group, native)
        read = [name for name in group if name not in suspects]
        return read, {compiler: _refused(read, command) for compiler, command in bpf.items()}

    result = Survey(arch, len(names), [], {compiler: {} for compiler in compilers})
    with ThreadPoolExecutor(_JOBS) as pool:
        for read, refused in pool.map(read_group, groups):
            result.native.extend(read)
            for compiler, errors in refused.items():
                result.refused[compiler].update(errors)
    return result


def _suspects(names: Sequence[str], command: list[str]) -> list[str]:
    """Return what has to be left out of *names*, so that *command* reads the others in one go."""
    remaining = list(names)
    suspects: list[str] = []
    while remaining:
        status, messages = _read(remaining, command)
        if status == 0:
            break
        lines = {int(number) for number in _INCLUDED_BY_US.findall(messages)}
        # A compiler that crashes names nobody.
        named = [remaining[number - 1] for number in sorted(lines)] or list(remaining)
        suspects += named
        remaining = [name for name in remaining if name not in named]
    return suspects


def _refused(names: Sequence[str], command: list[str]) -> dict[str, str]:
    """Return those headers of *names* that *command* cannot read, with the first error of each."""
    alone = {name: _read([name], command) for name in _suspects(names, command)}
    return {name: _first_error(*outcome) for name, outcome in alone.items() if outcome[0] != 0}


def _read(names: Sequence[str], command: list[str]) -> tuple[int, str]:
    """Return the compiler's exit status and messages for a program that includes *names*."""
    done = subprocess.run(
        ["nice", "-n", "19", *command, "-O2", "-w", "-ferror-limit=0", "-x", "c", "-"],
        check=False,
        input="".join(f"#include <{name}>\n" for name in names),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stderr


def _first_error(status: int, messages: str) -> str:
    for line in messages.splitlines():
        if found := _ERROR.search(line):
            return f"{found[1]}: {found[2]}"
    return f"the compiler ended with status {status}"


def main() -> None:
    """Survey the trees that the command line names."""
    parser = argparse.ArgumentParser(prog="kernel_matrix.reading")
    parser.add_argument("trees", nargs="+", type=Path, metavar="TREE")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th header")
    options = parser.parse_args()
    for tree in options.trees:
        found = survey(tree, NATIVE_COMPILER, COMPILERS, options.every)
        read = [len(found.native) - len(found.refused[compiler]) for compiler in COMPILERS]
        print("|", " | ".join(map(str, (tree.name, found.headers, len(found.native), *read))), "|")
        for compiler, errors in found.refused.items():
            for name, error in errors.items():
                print(f"  {compiler}, {name}: {error}", flush=True)


if __name__ == "__main__":
    main()
