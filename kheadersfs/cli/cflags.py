"""``kheadersfs cflags``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kheadersfs.bpf.toolchain import cflags
from kheadersfs.cli.arguments import Parser

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "cflags", "Print the flags with which a compiler uses the kernel headers in DIR."
    )
    arguments.add_argument(
        "--arch",
        metavar="A",
        help="the kernel's name of the architecture: x86, arm64, arm, riscv, powerpc, s390, mips, "
        "loongarch; by default the one that the headers are configured for",
    )
    arguments.add_argument(
        "--bpf", action="store_true", help="for clang -target bpf, which lacks inline assembly"
    )
    arguments.add_argument("directory", metavar="DIR")
    return arguments


def run(arguments: list[str]) -> int:
    """Print the flags on one line, quoted for a shell."""
    values = parser().parse_args(arguments)
    print(shlex.join(cflags(values.directory, values.arch, values.bpf)))
    return 0
