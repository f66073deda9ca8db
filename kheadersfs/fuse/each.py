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
from kheadersfs.fuse import running, starting
from kheadersfs.fuse.child import Run, end_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outcome(NamedTuple):
    """How the command ended for one archive: its exit status, after how many seconds."""

    archive: str
    status: int
    seconds: float


class _Started(NamedTuple):
    archive: str
    output: BinaryIO
    since: float


def run_each(
    archives: list[str], run: Run, jobs: int, options: starting.ServeOptions
) -> Iterator[Outcome]:
    """Run the command once for each of *archives*, up to *jobs* at the same time.

    Yields an outcome when one has ended, after writing all that it printed to standard output;
    what it prints is kept apart until then. Raises KeyboardInterrupt, after a first one only when
    all commands that are running have ended.
    """
    # Every server forks from here, so what all of them need is loaded once.
    starting.import_pyfuse3()
    waiting = list(reversed(archives))
    started: dict[int, _Started] = {}
    interrupted = False
    while waiting or started:
        while waiting and len(started) < jobs:
            archive = waiting.pop()
            output = _open_output()
            started[_start(archive, run, output, options)] = _Started(archive, output, monotonic())
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
                child.archive, code if code >= 0 else 128 - code, monotonic() - child.since
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


def _start(archive: str, run: Run, output: BinaryIO, options: starting.ServeOptions) -> int:
    """Fork a process that runs the command for *archive* and prints to *output*."""
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
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        ended = running.run_command(open_archive(archive, options.limits), run, options)
        status = ended.status
        os.write(2, os.fsencode(ended.report))
    except KheadersfsError as error:
        os.write(2, f"kheadersfs: {escaped(str(error))}\n".encode())
        status = error.exit_status
    except Exception:  # noqa: BLE001 - this process does not return to who could print it
        traceback.print_exc()
    finally:
        os._exit(status)


def _print_output(child: _Started) -> None:
    with child.output as output:
        output.seek(0)
        sys.stdout.write(f"== {escaped(child.archive)}\n")
        sys.stdout.flush()
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
