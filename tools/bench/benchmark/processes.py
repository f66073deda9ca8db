"""Starting, timing and awaiting programs, with as little of our own time in between as possible.

os.posix_spawn and os.waitpid are called directly: subprocess.Popen takes a millisecond more, which
is a tenth of what some of the measured commands take. Everything here relies on isolation.py:
all processes that can be seen are ours, and orphans become our children.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, NamedTuple

from benchmark.errors import Failed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER_PATIENCE = 20.0
"""Seconds that a server may take to end after its file system was unmounted."""


class Command(NamedTuple):
    """A program to run: absolute path and arguments, variables, and where its output goes."""

    arguments: list[str]
    environment: Mapping[str, str]
    log: str


def find_program(name: str) -> str:
    """Return the absolute path of the program *name*. Raises Unavailable.

    It is also looked for where this Python's own packages have their programs.
    """
    own = os.path.dirname(sys.executable)
    path = shutil.which(name) or shutil.which(name, path=own)
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return path


def start(command: Command, stdin: int | None = None, stdout: int | None = None) -> int:
    """Start *command* and return its pid; what has no descriptor is /dev/null or the log."""
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = []
    if stdin is None:
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
    else:
        actions.append((os.POSIX_SPAWN_DUP2, stdin, 0))
    actions.append((os.POSIX_SPAWN_OPEN, 2, command.log, log_flags, 0o600))
    actions.append((os.POSIX_SPAWN_DUP2, 2 if stdout is None else stdout, 1))
    return os.posix_spawn(
        command.arguments[0], command.arguments, command.environment, file_actions=actions
    )


def wait(pid: int, command: Command) -> None:
    """Wait for the end of *command*, which runs as *pid*. Raises Failed unless it succeeded."""
    _, status = os.waitpid(pid, 0)
    if status:
        raise Failed(_describe_failure(command, os.waitstatus_to_exitcode(status)))


def timed_run(command: Command) -> float:
    """Run *command* to its end. Returns seconds; raises Failed."""
    began = perf_counter()
    pid = start(command)
    wait(pid, command)
    return perf_counter() - began


def timed_pipeline(commands: Sequence[Command]) -> float:
    """Run *commands*, each reading what the one before wrote. Returns seconds; raises Failed."""
    began = perf_counter()
    pids: list[int] = []
    source: int | None = None
    for command in commands[:-1]:
        reading, writing = os.pipe()
        pids.append(start(command, source, writing))
        os.close(writing)
        if source is not None:
            os.close(source)
        source = reading
    pids.append(start(commands[-1], source))
    if source is not None:
        os.close(source)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    elapsed = perf_counter() - began
    for command, status in zip(commands, statuses, strict=True):
        if status:
            raise Failed(_describe_failure(command, os.waitstatus_to_exitcode(status)))
    return elapsed


def _describe_failure(command: Command, code: int) -> str:
    with open(command.log, errors="replace") as log:
        lines = [line.strip() for line in log if line.strip()]
    how = f"status {code}" if code >= 0 else f"signal {-code}"
    what = os.path.basename(command.arguments[0])
    return f"{what} ended with {how}: {lines[-1] if lines else 'it printed nothing'}"


def running() -> list[int]:
    """Return the pids of all servers that run, and collect those that have ended."""
    reap()
    return list_others()


def list_others() -> list[int]:
    """Return the pids of all processes of the namespace but this one."""
    own = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != own]


def reap() -> None:
    """Collect what has ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def await_all_ended() -> None:
    """Wait until no server runs. Raises Failed after having killed those that stayed."""
    deadline = monotonic() + SERVER_PATIENCE
    for pid in running():
        if not _await_end(pid, deadline):
            kill_all()
            raise Failed(f"its server had not ended {SERVER_PATIENCE:.0f} s after unmounting")
    reap()


def _await_end(pid: int, deadline: float) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    ended = bool(poller.poll(max(0.0, deadline - monotonic()) * 1000))
    os.close(descriptor)
    return ended


def kill_all() -> None:
    """End whatever a failed contender has left running."""
    pids = running()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for pid in pids:
        _await_end(pid, monotonic() + SERVER_PATIENCE)
    reap()
