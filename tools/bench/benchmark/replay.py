"""The replay of a build: what a compiler asked of the file system, and when, without it.

strace(1) records a real compilation of the sample: every name it looks for, every file it opens
and reads, and how long it computes in between. A small program then does the same in a directory
of headers, and computes as long in between, by the clock. So the compiler's own time does not
vary: what does is what the file system takes.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from benchmark.implementations import REPOSITORY
from benchmark.processes import Command, find_program, timed_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmark.inputs import Inputs
    from benchmark.workload import Workload

PLAYER = os.path.join(REPOSITORY, "tools", "bench", "player.py")
RECORDINGS = 7
"""How often the compiler is recorded: of each pause the shortest counts."""
_TRACED = "execve,access,openat,newfstatat,read,pread64,mmap,close"


class Step(NamedTuple):
    """One call: ``what`` is "access", "stat", "open" or "read", of ``name`` below the headers.

    ``size`` is how much is read; ``pause`` seconds of computing come before it.
    """

    what: str
    name: str
    size: int
    pause: float


class Replay:
    """Replays the compilation of the sample; see workload.Work."""

    def __init__(self, inputs: Inputs, workload: Workload) -> None:
        self._log = inputs.log
        self._score = inputs.cached("replay.json", lambda path: record(inputs, workload, path))

    def build(self, headers: str, output: str) -> float:
        """See Work."""
        return timed_run(Command([*self._player(output), headers], os.environ, self._log))

    def shell_command(self, output: str) -> list[str]:
        """See Work."""
        return ["/bin/sh", "-c", 'exec "$@" "$KHEADERS"', "sh", *self._player(output)]

    def _player(self, output: str) -> list[str]:
        return [sys.executable, "-IS", PLAYER, self._score, output]


def record(inputs: Inputs, workload: Workload, path: str) -> None:
    """Record the compiler into the file *path*. Raises Failed, and Unavailable without strace."""
    log = os.path.join(inputs.scratch, "strace")
    command = [find_program("strace"), "--seccomp-bpf", "-f", "-ttt", "-T", "-y", "-o", log]
    command += ["-e", f"trace={_TRACED}", *workload.clang(inputs.tree)]
    recordings = []
    for _ in range(RECORDINGS):
        timed_run(Command(command, os.environ, os.devnull))
        with open(log) as trace:
            recordings.append(list(read_trace(trace, inputs.tree)))
    with open(path, "w") as output:
        json.dump(shortest_pauses(recordings), output)


def read_trace(lines: Iterator[str] | Sequence[str], tree: str) -> Iterator[Step]:
    """Yield the steps in *lines*, as ``strace -f -ttt -T -y`` prints them, that concern *tree*.

    What else the compiler does is a part of the pauses.
    """
    prefix = f"{tree}/"
    ended: float | None = None
    for line in lines:
        _, began, call = line.split(maxsplit=2)
        if ended is None:
            ended = float(began)  # of execve: the compiler's own start is its first pause
        what, _, arguments = call.partition("(")
        _, separator, rest = arguments.partition(prefix)
        if what == "execve" or not separator:
            continue
        name = rest.partition('"' if f'"{prefix}' in arguments else ">")[0]
        duration = call.rpartition("<")[2].rstrip(">\n")
        step = _step(what, name, arguments, prefix, float(began) - ended)
        if step is not None:
            yield step
            ended = float(began) + float(duration)


def _step(what: str, name: str, arguments: str, prefix: str, pause: float) -> Step | None:
    """Return the step that a call is, None if it is none: closing takes no request to wait for."""
    if what == "access":
        return Step("access", name, 0, pause)
    if what == "openat":
        return Step("open", name, 0, pause)
    if what == "newfstatat" and f'"{prefix}' in arguments:
        return Step("stat", name, 0, pause)
    if what in ("pread64", "read"):
        return Step("read", name, int(arguments.rpartition(" = ")[2].split()[0]), pause)
    if what == "mmap":
        return Step("read", name, int(arguments.split(",")[1]), pause)
    return None


def shortest_pauses(recordings: Sequence[Sequence[Step]]) -> list[Step]:
    """Return the steps, which are the same in all *recordings*, each with its shortest pause.

    What is longer in some was an interruption.
    """
    return [
        steps[0]._replace(pause=max(0.0, min(step.pause for step in steps)))
        for steps in zip(*recordings, strict=True)
    ]
