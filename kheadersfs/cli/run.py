"""``kheadersfs run``."""

from __future__ import annotations

import argparse
import os

from kheadersfs.archive.opening import open_archive
from kheadersfs.bpf.toolchain import environment
from kheadersfs.cli.arguments import Parser
from kheadersfs.fuse import running, session


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "run",
        "Run COMMAND with the headers in ARCHIVE mounted for it alone, at $KHEADERS. bcc and "
        "bpftrace find them there too. Returns COMMAND's exit status; afterwards nothing is left.",
    )
    arguments.add_argument("--archive", metavar="ARCHIVE", required=True)
    arguments.add_argument("--log", metavar="FILE", help="log there; otherwise to the system log")
    arguments.add_argument(
        "--record",
        metavar="FILE",
        help="write the paths of the headers that were opened, in order of first use",
    )
    arguments.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    return arguments


def run(arguments: list[str]) -> int:
    """Run the command. Returns its exit status."""
    command_parser = parser()
    values = command_parser.parse_args(arguments)
    command = values.command[1:] if values.command[:1] == ["--"] else values.command
    if not command:
        command_parser.error("COMMAND is missing")
    options = session.ServeOptions(
        prefetch=True,
        log=None if values.log is None else os.path.abspath(values.log),
        record=None if values.record is None else os.path.abspath(values.record),
    )
    session.require_pyfuse3()
    archive = open_archive(values.archive)
    return running.run_command(
        archive,
        running.Run(command, lambda directory: {**os.environ, **environment(directory)}),
        options,
    )
