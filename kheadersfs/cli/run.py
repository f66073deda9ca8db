"""``kheadersfs run``."""

from __future__ import annotations

import argparse
import os

from kheadersfs.archive.source import open_source
from kheadersfs.bpf.toolchain import environment
from kheadersfs.cli.arguments import Parser, add_limits, add_pins, positive
from kheadersfs.cli.options import parse_limits
from kheadersfs.fuse import running, starting
from kheadersfs.pinning import Pins, open_pinned


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "run",
        "Run COMMAND with the headers in ARCHIVE mounted for it alone, at $KHEADERS. bcc and "
        "bpftrace find them there too. Without ARCHIVE these are the running kernel's, wherever "
        "this machine has them. Returns COMMAND's exit status; afterwards nothing is left.",
    )
    arguments.usage = "%(prog)s [options] [--] COMMAND [ARGUMENT ...]"
    arguments.add_argument(
        "--archive",
        dest="archives",
        action="append",
        metavar="ARCHIVE",
        help="with --each it may be given several times",
    )
    arguments.add_argument(
        "--each",
        action="store_true",
        help="run COMMAND once for every ARCHIVE, and say for which it failed",
    )
    arguments.add_argument(
        "--jobs",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="how many to run at the same time with --each; by default one per processor",
    )
    arguments.add_argument(
        "--btf",
        metavar="FILE",
        help="make include/vmlinux.h of the types in FILE, BTF or a vmlinux with it; by default of "
        "the running kernel's, for its own headers only",
    )
    arguments.add_argument("--log", metavar="FILE", help="log there; otherwise to the system log")
    arguments.add_argument(
        "--record",
        metavar="FILE",
        help="write the paths of the headers that were opened, in order of first use",
    )
    add_pins(arguments)
    add_limits(arguments)
    arguments.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
    return arguments


def run(arguments: list[str]) -> int:
    """Run the command. Returns its exit status."""
    command_parser = parser()
    values = command_parser.parse_args(arguments)
    command = values.command[1:] if values.command[:1] == ["--"] else values.command
    if not command:
        command_parser.error("COMMAND is missing")
    if values.archives is None and values.each:
        command_parser.error("--each needs --archive")
    if values.archives is not None and len(values.archives) > 1 and not values.each:
        command_parser.error("several archives need --each")
    pins = (("--digest", values.digest), ("--verify-key", values.verify_key))
    for option, value in (("--record", values.record), ("--btf", values.btf), *pins):
        if values.each and value is not None:
            command_parser.error(f"{option} is for one kernel, not for --each")
    for option, value in pins:
        if values.archives is None and value is not None:
            command_parser.error(f"{option} needs --archive")
    options = _serve_options(values.log, values.record, values.btf)
    options = options._replace(limits=parse_limits(values.limits))
    starting.require_pyfuse3()
    what = running.Run(command, lambda directory: {**os.environ, **environment(directory)})
    if values.each:
        return _run_each(values.archives, what, values.jobs, options)
    if values.archives is not None:
        archive = open_pinned(
            open_source(values.archives[0]), Pins(values.digest, values.verify_key), options.limits
        )
        return running.run_command(archive, what, options)
    from kheadersfs.cli.defaults import open_running_kernels

    return running.run_command(open_running_kernels(options.limits), what, options)


def _serve_options(log: str | None, record: str | None, btf: str | None) -> starting.ServeOptions:
    """Return how to serve, with the files opened that are named."""
    options = starting.ServeOptions(prefetch=True)
    if log is not None:
        options = options._replace(log=starting.open_output(log, append=True))
    if record is not None:
        options = options._replace(record=starting.open_output(record))
    if btf is not None:
        from kheadersfs.bpf.btf import open_btf

        options = options._replace(btf=open_btf(btf))
    return options


def _run_each(
    archives: list[str], what: running.Run, jobs: int, options: starting.ServeOptions
) -> int:
    """Run for every archive, print a table, and return 1 if any run failed."""
    from kheadersfs.fuse.each import run_each

    outcomes = list(run_each(archives, what, jobs, options))
    outcomes.sort(key=lambda outcome: archives.index(outcome.archive))
    print("\nstatus  seconds  archive")
    for outcome in outcomes:
        print(f"{outcome.status:6}  {outcome.seconds:7.2f}  {outcome.archive}")
    failed = sum(outcome.status != 0 for outcome in outcomes)
    print(f"{len(outcomes) - failed} succeeded, {failed} failed")
    return 1 if failed else 0
