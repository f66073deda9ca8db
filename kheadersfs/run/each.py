"""One command against many kernels: a private mount for each, several at a time."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kheadersfs.archive.opening import open_archive
from kheadersfs.errors import KheadersfsError, escaped, reason
from kheadersfs.forking import fork
from kheadersfs.fuse import daemon
from kheadersfs.run import namespace
from kheadersfs.run.child import Run, end_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.fuse.options import ServeOptions


class Task(NamedTuple):
    """An archive, and what to run with it."""

    archive: str
    run: Run


class Outcome(NamedTuple):
    """How the command ended for one archive: its exit status, after how many seconds.

    ``headers`` is how many different headers it and what it started have opened.
    """

    archive: str
    status: int
    seconds: float
    headers: int


class _Started(NamedTuple):
    archive: str
    output: BinaryIO
    record: BinaryIO
    since: float


def run_each(tasks: list[Task], jobs: int, options: ServeOptions) -> Iterator[Outcome]:
    """Run the command of each of *tasks*, up to *jobs* at the same time.

    Yields an outcome when one has ended, after writing all that it printed to standard output;
    what it prints is kept apart until then. Raises KeyboardInterrupt, after a first one only when
    all commands that are running have ended.
    """
    # Every server forks from here, so what all of them need is loaded once.
    daemon.import_pyfuse3()
    waiting = list(reversed(tasks))
    started: dict[int, _Started] = {}
    interrupted = False
    while waiting or started:
        while waiting and len(started) < jobs:
            task = waiting.pop()
            child = _Started(task.archive, _open_output(), _open_record(), monotonic())
            started[_start(task, child, options)] = child
        try:
            pid, status = os.wait()
        except KeyboardInterrupt:
            if interrupted:
                raise
            # The terminal has sent it to the commands too, and each ends when it has cleaned up.
            interrupted = True
            waiting.clear()
            continue
        # Servers that outlived their caller are not ours to wait for.
        if pid in started:
            child = started.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            _print_output(child)
            yield Outcome(
                child.archive,
                code if code >= 0 else 128 - code,
                monotonic() - child.since,
                _count_headers(child),
            )
    if interrupted:
        raise KeyboardInterrupt


def _open_output() -> BinaryIO:
    """Return a new file for what a command prints. Raises KheadersfsError."""
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise KheadersfsError(
            f"no file can be made for what a command prints: {reason(error)}; "
            "set TMPDIR to where one can"
        ) from error


def _open_record() -> BinaryIO:
    """Return a new file in memory for the paths of the headers that a command opens."""
    return os.fdopen(os.memfd_create("headers"), "rb")


def _start(task: Task, child: _Started, options: ServeOptions) -> int:
    """Fork a process that runs the command of *task*, and prints to the output of *child*."""
    sys.stdout.flush()
    parent = os.getpid()
    pid = fork()
    if pid:
        return pid
    status = 1
    try:
        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
            # What it has mounted is to be undone.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # It passes this on to its command; a command that has not begun ends with it.
        end_with_parent(parent, signal.SIGTERM)
        os.dup2(child.output.fileno(), 1)
        os.dup2(child.output.fileno(), 2)
        options = options._replace(record=child.record.fileno())
        archive = open_archive(task.archive, options.limits)
        ended = namespace.run_command(archive, task.run, options)
        status = ended.status
        os.write(2, os.fsencode(ended.report))
    except KheadersfsError as error:
        os.write(2, f"kheadersfs: {escaped(str(error))}\n".encode())
        status = error.exit_status
    except Exception:  # noqa: BLE001 - this process does not return to who could print it
        traceback.print_exc()
    finally:
        os._exit(status)


def _count_headers(child: _Started) -> int:
    with child.record as record:
        record.seek(0)
        return sum(1 for _ in record)


def _print_output(child: _Started) -> None:
    with child.output as output:
        output.seek(0)
        sys.stdout.write(f"== {escaped(child.archive)}\n")
        sys.stdout.flush()
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
