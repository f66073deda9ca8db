"""The words of ``kheadersfs run``: only a command line with options, or its help, needs them."""

from __future__ import annotations

import argparse

from kheadersfs.cli.arguments import Parser, add_limits, add_pins, add_release, positive


def run_parser() -> Parser:
    """Return the parser of its arguments."""
    arguments = Parser(
        "run",
        "Run COMMAND with the headers in ARCHIVE mounted for it alone, at $KHEADERS. bcc and "
        "bpftrace find them there too. Without ARCHIVE, mount the running kernel's headers, "
        "wherever this machine has them. $KHEADERS_NAME is the name of ARCHIVE, without .tar.xz; "
        "$KHEADERS_RELEASE and $KHEADERS_ARCH are what its headers say, or empty. Returns "
        "COMMAND's exit status. By then the mount is gone, whatever has happened.",
        ("kheadersfs run -- make", "compile with the running kernel's headers"),
        (
            "kheadersfs run --each -o build --archive 6.1.tar.xz --archive 6.12.tar.xz -- "
            "sh -c 'make O=\"$KHEADERS_OUTPUT\"'",
            "once for each kernel, in build/6.1 and build/6.12",
        ),
    )
    arguments.usage = "%(prog)s [options] [--] COMMAND [ARGUMENT ...]"
    arguments.add_argument(
        "--archive",
        dest="archives",
        action="append",
        metavar="ARCHIVE",
        help="the headers, by default the running kernel's; may be repeated with --each, or for "
        "packages (.deb, .rpm) of one kernel",
    )
    arguments.add_argument(
        "--each",
        action="store_true",
        help="run COMMAND once for every ARCHIVE, and every kernel in it. Report for which it "
        "failed, and how many headers it opened. All run in this directory, several at a time, so "
        "each must write to a place of its own",
    )
    arguments.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="with --each, make a directory in DIR for every ARCHIVE, $KHEADERS_OUTPUT. A "
        "directory with files that were made with another archive is refused, because make goes by "
        "times",
    )
    arguments.add_argument(
        "--json",
        action="store_true",
        help="with --each, print the table as JSON, and the output of commands to standard error",
    )
    arguments.add_argument(
        "--junit",
        metavar="FILE",
        help="with --each, write a JUnit report for a CI system: a test case for every ARCHIVE",
    )
    arguments.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="how many to run at the same time with --each; by default one per processor",
    )
    arguments.add_argument(
        "--btf",
        metavar="FILE",
        help="make include/vmlinux.h from FILE, which is BTF or a vmlinux with it; by default from "
        "the running kernel's, for its own headers only; not with --each",
    )
    arguments.add_argument("--log", metavar="FILE", help="log to FILE instead of the system log")
    arguments.add_argument(
        "--record",
        metavar="FILE",
        help="write the paths of the headers that were opened, in order of first use; not with "
        "--each",
    )
    add_release(arguments, "; with --each, all whose names match, perhaps with * and ?")
    add_pins(arguments)
    add_limits(arguments)
    arguments.add_argument(
        "command",
        metavar="COMMAND",
        nargs=argparse.REMAINDER,
        help="what to run, and its arguments",
    )
    return arguments
