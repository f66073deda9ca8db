"""``kheadersfs cflags``."""

from __future__ import annotations

import shlex

from kheadersfs.bpf.toolchain import cflags
from kheadersfs.cli.arguments import DIRECTORY, Parser, add_release
from kheadersfs.cli.directories import directory_of


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "cflags",
        "Print the compiler flags for the kernel headers in DIR.",
        ("gcc $(kheadersfs cflags ~/headers) -c probe.c", "compile for the processor"),
        (
            "clang -target bpf -O2 -g $(kheadersfs cflags --bpf ~/headers) -c probe.bpf.c",
            "compile an eBPF program",
        ),
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
    add_release(arguments)
    arguments.add_archive_option("DIR")
    arguments.add_argument("directory", metavar="DIR", help=DIRECTORY)
    return arguments


def run(arguments: list[str]) -> int:
    """Print the flags on one line, quoted for a shell."""
    values = parser().parse(arguments)
    directory = directory_of(values.directory, values.further, values.release)
    print(shlex.join(cflags(directory, values.arch, values.bpf)))
    return 0
