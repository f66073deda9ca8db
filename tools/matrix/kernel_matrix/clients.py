"""bcc and bpftrace, as the machine has them, on a directory of headers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kernel_matrix.compiling import first_error, run_for_errors
from kernel_matrix.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

_PROGRAMS = Path(__file__).parents[1] / "clients"
# The interpreter for which the distribution packages bcc, not the one that runs this.
_PYTHON = "/usr/bin/python3"
_BCC = "import sys, bcc; bcc.BPF(src_file=sys.argv[1])"
_BCC_VERSION = "import bcc; print(bcc.__version__)"
_PATIENCE = 600.0
"""Seconds after which a client hangs."""


class Client(NamedTuple):
    """A client: its *name* with its version, the *command* that runs one of its *programs*.

    *variables* are those that name a directory of headers to it. Each program is compiled,
    loaded and attached.
    """

    name: str
    command: tuple[str, ...]
    programs: tuple[Path, ...]
    variables: tuple[str, ...]

    def try_on(self, headers: Path) -> Outcome:
        """Run each program with the directory *headers*. Raises subprocess.TimeoutExpired."""
        environment = {**os.environ, **dict.fromkeys(self.variables, str(headers))}
        failed = {}
        for program in self.programs:
            done = run_for_errors([*self.command, program], environment, _PATIENCE)
            if done.returncode != 0:
                failed[program.name] = first_error(done.stderr) or f"status {done.returncode}"
        return Outcome(len(self.programs), failed)


def installed_clients() -> list[Client]:
    """Return the clients that the machine has."""
    return [client for client in (_bcc(), _bpftrace()) if client is not None]


def _bcc() -> Client | None:
    return _client(
        [_PYTHON, "-c", _BCC_VERSION],
        lambda printed: f"bcc {printed}",
        (_PYTHON, "-c", _BCC),
        "*.bcc.c",
        ("BCC_KERNEL_SOURCE",),
    )


def _bpftrace() -> Client | None:
    return _client(
        ["bpftrace", "--version"],
        lambda printed: printed.replace(" v", " "),
        ("bpftrace",),
        "*.bt",
        ("BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD"),
    )


def _client(
    asking: list[str],
    name: Callable[[str], str],
    command: tuple[str, ...],
    pattern: str,
    variables: tuple[str, ...],
) -> Client | None:
    """Return the client that the command *asking* makes print its version, if it is there."""
    try:
        printed = subprocess.run(asking, check=True, capture_output=True, text=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    programs = tuple(sorted(_PROGRAMS.glob(pattern)))
    return Client(name(printed.strip()), command, programs, variables)
