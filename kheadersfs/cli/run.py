"""``kheadersfs run``."""

from __future__ import annotations

import os
import sys

from kheadersfs.archive.opening import open_place
from kheadersfs.bpf.toolchain import environment
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.waiting import WaitingLine
from kheadersfs.cli.words import plain_command
from kheadersfs.errors import KheadersfsError, UsageError, quoted
from kheadersfs.fuse import daemon
from kheadersfs.fuse.identity import ask_kernel
from kheadersfs.fuse.options import ServeOptions, open_output
from kheadersfs.packages.recognition import may_be_packages
from kheadersfs.records import Record
from kheadersfs.run import namespace
from kheadersfs.run.child import Run
from kheadersfs.run.places import name_of, safe_name
from kheadersfs.trust.pinning import Pins, open_pinned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.opening import Archive
    from kheadersfs.cli.arguments import Parser
    from kheadersfs.limits import Limits


class Call(Record):
    """What to run with which headers; ``archives`` is None for the running kernel's."""

    archives: list[str] | None
    command: list[str]
    each: bool = False
    jobs: int | None = None
    output: str | None = None
    json: bool = False
    junit: str | None = None
    btf: str | None = None
    log: str | None = None
    record: str | None = None
    release: str | None = None
    pins: Pins = Pins()
    limits: tuple[str, ...] = ()


def parser() -> Parser:
    """See CommandModule.parser."""
    from kheadersfs.cli.run_parser import run_parser  # 9 ms, which only options pay

    return run_parser()


def run(arguments: list[str]) -> int:
    """Run the command. Returns its exit status."""
    words = plain_command(arguments)
    call = _parse(arguments) if words is None else Call(*words)
    _check(call)
    limits = parse_limits(call.limits)
    daemon.require_pyfuse3()
    with WaitingLine("run"):
        call = call._replace(archives=_packed(call, limits))
    if call.each and call.archives is not None:
        jobs = call.jobs or os.cpu_count() or 1
        try:
            return _run_each(call, call.archives, jobs, _serve_options(call, limits))
        except BrokenPipeError as error:  # to have seen enough is no success of what has not run
            raise KheadersfsError(
                "nobody reads standard output any more; commands that had not ended are ended"
            ) from error
    with WaitingLine("run"):
        name, archive = _open(call, limits)
        options = _serve_options(call, limits)
        if call.release is not None:
            from kheadersfs.cli.kernels import (
                choose_kernel,
            )  # 25 ms, which only one of several pays

            chosen = choose_kernel(archive, call.release, options.budget)
            name = safe_name(chosen.name) if chosen.name else name
            options = options._replace(kernel=chosen.number)
    what = Run(call.command, _environment(KHEADERS_NAME=name))
    try:
        ended = namespace.run_command(archive, what, options)
    except KheadersfsError as error:
        if _is_plain_file(call.command[0]):
            error.args = (f"{error}; {_ask_for_archive(call.command[0])}",)
        raise
    print(ended.report, end="", file=sys.stderr)
    if call.record is not None and ended.server:  # it is what wrote the record, or did not
        return ended.status or KheadersfsError.exit_status
    return ended.status


def _open(call: Call, limits: Limits) -> tuple[str, Archive]:
    """Return the archive of *call*, and what its kernel is called. Raises KheadersfsError."""
    if call.archives is None:
        # It takes 18 ms, which only runs without --archive pay.
        from kheadersfs.cli.defaults import open_running_kernels

        return os.uname().release, open_running_kernels(limits)
    path = call.archives[0]
    return name_of(path), open_pinned(open_place(path), call.pins, limits)


def _parse(arguments: list[str]) -> Call:
    """Return what a command line with options says. Raises UsageError."""
    values = parser().parse(arguments)
    return Call(
        archives=values.archives,
        command=values.command[1:] if values.command[:1] == ["--"] else values.command,
        each=values.each,
        jobs=values.jobs,
        output=values.output,
        json=values.json,
        junit=values.junit,
        btf=values.btf,
        log=values.log,
        record=values.record,
        release=values.release,
        pins=Pins(values.digest, values.verify_key),
        limits=tuple(values.limits),
    )


def _check(call: Call) -> None:
    """Raise UsageError for what does not go together."""
    pins = (("--digest", call.pins.digest), ("--verify-key", call.pins.key))
    complaint = ""
    if not call.command or not call.command[0]:
        complaint = "COMMAND is missing"
    elif call.command[1:2] == ["--"] and not _is_program(call.command[0]):
        complaint = f"{call.command[0]}: no such program; {_ask_for_archive(call.command[0])}"
    elif call.archives is None and call.each:
        complaint = "--each needs --archive"
    elif call.jobs is not None and not call.each:
        complaint = "--jobs needs --each"
    elif call.output is not None and not call.each:
        complaint = "--output needs --each"
    elif (call.json or call.junit is not None) and not call.each:
        complaint = f"{'--json' if call.json else '--junit'} needs --each"
    for option, value in (("--record", call.record), ("--btf", call.btf), *pins):
        if call.each and value is not None:
            complaint = complaint or f"{option} is for one kernel, not for --each"
    for option, value in pins:
        if call.archives is None and value is not None:
            complaint = complaint or f"{option} needs --archive"
    if complaint:
        raise UsageError(f"{complaint}; see kheadersfs run --help")


def _packed(call: Call, limits: Limits) -> list[str] | None:
    """Return the archives of *call*, packages among them as archives in the cache.

    Without --each all of them are packages of one kernel. Raises UsageError.
    """
    archives = call.archives
    packages = [archive for archive in archives or () if may_be_packages(archive)]
    if archives is None or (not packages and (call.each or len(archives) == 1)):
        return archives
    if not call.each and len(packages) < len(archives):
        raise UsageError("several archives need --each; see kheadersfs run --help")
    # It takes 60 ms, which only packages pay.
    from kheadersfs.cli.packages import archive_of, archives_of, require_no_pins

    require_no_pins(packages[0], call.pins.digest, call.pins.key)
    if not call.each:
        return [archive_of(packages, limits)]
    others = [archive for archive in archives if archive not in packages]
    return [*others, *archives_of(packages, limits)]


def _is_program(word: str) -> bool:
    from shutil import which  # 4 ms, which only commands with -- in them pay

    return which(word) is not None


def _is_plain_file(word: str) -> bool:
    return os.path.isfile(word) and not os.access(word, os.X_OK)


def _ask_for_archive(word: str) -> str:
    return f"is it an archive? --archive {quoted(word)}"


def _serve_options(call: Call, limits: Limits) -> ServeOptions:
    """Return how to serve, with the files opened that are named."""
    options = ServeOptions(prefetch=True, limits=limits)
    if call.log is not None:
        options = options._replace(log=open_output(call.log, append=True))
    if call.record is not None:
        options = options._replace(record=open_output(call.record))
    if call.btf is not None:
        from kheadersfs.bpf.btf import open_btf  # 6 ms, which only --btf pays

        options = options._replace(btf=open_btf(call.btf))
    return options


def _environment(**names: str) -> Callable[[str], dict[str, str]]:
    """Return what makes the variables of a command from the mountpoint, *names* among them."""

    def variables(mountpoint: str) -> dict[str, str]:
        kernel = ask_kernel(mountpoint)
        own = {"KHEADERS_RELEASE": kernel.release, "KHEADERS_ARCH": kernel.arch, **names}
        return {**os.environ, **environment(mountpoint), **own}

    return variables


def _run_each(call: Call, archives: list[str], jobs: int, options: ServeOptions) -> int:
    """Run for every archive, tell how it went, and return 1 if any run failed."""
    from kheadersfs.cli import results
    from kheadersfs.run.each import Task, run_each  # 100 ms, which only --each pays

    if call.junit is not None:
        results.require_place(call.junit)
    from kheadersfs.cli.targets import find_targets
    from kheadersfs.run.places import make_places

    targets = find_targets(archives, call.release, options)
    names = [{"KHEADERS_NAME": target.name} for target in targets]
    if call.output is not None:
        for variables, place in zip(names, make_places(call.output, targets), strict=True):
            variables["KHEADERS_OUTPUT"] = place
    tasks = [
        Task(target, Run(call.command, _environment(**variables)))
        for target, variables in zip(targets, names, strict=True)
    ]
    outcomes = run_each(tasks, jobs, options, sys.stderr if call.json else sys.stdout)
    outcomes.sort(key=lambda outcome: targets.index(outcome.target))
    if call.junit is not None:
        results.write_junit(outcomes, call.junit)
    print(results.as_json(outcomes) if call.json else f"\n{results.table(outcomes)}", flush=True)
    return 1 if results.count_failed(outcomes) else 0
