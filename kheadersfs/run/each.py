"""One command against many kernels: a private mount for each, several at a time."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TextIO

import trio

from kheadersfs.archive.opening import open_archive
from kheadersfs.errors import KheadersfsError, escaped, reason
from kheadersfs.forking import fork
from kheadersfs.fuse import daemon
from kheadersfs.run import namespace
from kheadersfs.run.child import Run, end_with_parent

if TYPE_CHECKING:
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.run.places import Target


OUTPUT_KEPT = 64 << 10
"""Bytes that an outcome has of what its command printed: the last ones."""


class Task(NamedTuple):
    """A kernel, and what to run with it."""

    target: Target
    run: Run


class Outcome(NamedTuple):
    """How the command ended for one kernel: with which exit status, and after how many seconds.

    ``headers`` counts the different headers that the command and its children opened. ``output`` is
    the end of what they printed.
    """

    target: Target
    status: int
    seconds: float
    headers: int
    output: bytes


class _Started(NamedTuple):
    label: str
    output: BinaryIO
    record: BinaryIO
    since: float


def run_each(tasks: list[Task], jobs: int, options: ServeOptions, output: TextIO) -> list[Outcome]:
    """Run the command of each of *tasks*, up to *jobs* at the same time.

    Returns the outcomes as they came. All that a command printed is written to *output* when
    it has ended; it is kept apart until then. Raises KeyboardInterrupt, after a first one only when
    all commands that are running have ended.
    """
    # Every server forks from here, so what all of them need is loaded once.
    daemon.import_server()
    runs = _Runs(tasks, options, output)
    try:
        trio.run(runs.run, jobs)
    except BaseExceptionGroup as group:
        # Before the first command runs, trio raises interrupts wherever it is.
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        raise KeyboardInterrupt from None
    if runs.failure is not None:
        raise runs.failure
    return runs.outcomes


class _Runs:
    """The commands that wait, run and have ended.

    All share one nursery: what keeps one of them from being run or shown ends the others too, who
    are sent SIGTERM when this process ends.
    """

    def __init__(self, tasks: list[Task], options: ServeOptions, output: TextIO) -> None:
        self._waiting = deque(tasks)
        self._options = options
        self._output = output
        self.outcomes: list[Outcome] = []
        self.failure: BaseException | None = None

    async def run(self, jobs: int) -> None:
        """Run all of them, *jobs* at a time."""
        async with trio.open_nursery() as nursery:
            if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
                await nursery.start(self._heed_interrupts, nursery.cancel_scope)
            async with trio.open_nursery() as workers:
                for _ in range(min(jobs, len(self._waiting))):
                    workers.start_soon(self._work, nursery.cancel_scope)
            nursery.cancel_scope.cancel()

    async def _heed_interrupts(
        self, scope: trio.CancelScope, task_status: trio.TaskStatus[None]
    ) -> None:
        """Start no more commands at the first interrupt; at the second, wait for none."""
        with trio.open_signal_receiver(signal.SIGINT) as interrupts:
            task_status.started()
            async for _ in interrupts:
                if self.failure is not None:
                    scope.cancel()
                # The terminal has sent it to the commands too; each ends when it has cleaned up.
                self.failure = KeyboardInterrupt()
                self._waiting.clear()

    async def _work(self, scope: trio.CancelScope) -> None:
        """Run one command after the other."""
        while self._waiting:
            try:
                await self._run_next()
            except Exception as error:  # noqa: BLE001 - raised again by run_each
                self.failure = error
                scope.cancel()

    async def _run_next(self) -> None:
        task = self._waiting.popleft()
        started = _Started(task.target.label, _open_output(), _open_record(), monotonic())
        status = await _wait(_start(task, started, self._options))
        seconds = monotonic() - started.since
        printed = _print_output(started, self._output)
        headers = _count_headers(started)
        self.outcomes.append(Outcome(task.target, status, seconds, headers, printed))


async def _wait(pid: int) -> int:
    """Wait for the child *pid* to end. Returns its exit status, 128 + N for signal N."""
    descriptor = os.pidfd_open(pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


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
        signal.set_wakeup_fd(-1)  # which is trio's, of the process that started this one
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            # An interrupt raises KeyboardInterrupt here, so that the mount is undone.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # This process passes SIGTERM on to its command. One that has not begun ends with it.
        end_with_parent(parent, signal.SIGTERM)
        os.dup2(child.output.fileno(), 1)
        os.dup2(child.output.fileno(), 2)
        options = options._replace(record=child.record.fileno(), kernel=task.target.kernel)
        archive = open_archive(task.target.archive, options.limits)
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


def _print_output(child: _Started, to: TextIO) -> bytes:
    """Write all that *child* printed. Returns the end of it."""
    with child.output as output:
        output.seek(0)
        to.write(f"== {escaped(child.label)}\n")
        to.flush()
        shutil.copyfileobj(output, to.buffer)
        to.flush()
        output.seek(max(0, output.tell() - OUTPUT_KEPT))
        return output.read()
