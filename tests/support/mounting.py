"""Mounts for tests: made through the command line, looked at from outside, always taken away."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from kheadersfs.errors import MountpointError
from kheadersfs.mount import servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 20.0
"""Seconds of looking after which something that should have happened has not; see wait_until()."""
HANGS = 1200.0
"""Seconds after which what does not end is taken to hang, however busy the machine is."""


_KEEPING = """\
from kheadersfs.fuse import housekeeping
housekeeping.DECODED_BLOCKS_KEPT = {seconds}
from kheadersfs.cli import script
script()
"""


class Outcome(NamedTuple):
    """How a command ended."""

    status: int
    output: str
    errors: str


def command_line(*arguments: str | Path) -> list[str]:
    """Return the words that run a kheadersfs command in this interpreter."""
    return [sys.executable, "-m", "kheadersfs", *map(str, arguments)]


def run_command(*arguments: str | Path, **environment: str) -> Outcome:
    """Run a kheadersfs command to its end."""
    return run_words(*command_line(*arguments), **environment)


def run_words(*words: str, **environment: str) -> Outcome:
    """Run the command of these *words* to its end."""
    done = subprocess.run(
        words,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=HANGS,
        env={**os.environ, **environment},
    )
    return Outcome(
        done.returncode,
        done.stdout.decode(errors="surrogateescape"),
        done.stderr.decode(errors="surrogateescape"),
    )


def run_words_in(directory: Path, *words: str) -> Outcome:
    """Run the command of these *words* in *directory* to its end."""
    return run_words("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(directory), *words)


def one_line(outcome: Outcome) -> str:
    """Check that *outcome* says one thing, on standard error, and return it."""
    assert outcome.output == ""
    assert outcome.errors.startswith("kheadersfs: ")
    assert outcome.errors.endswith("\n")
    assert outcome.errors.count("\n") == 1
    return outcome.errors


def mounts_below(directory: Path) -> list[str]:
    """Return where something is mounted at or below *directory*."""
    with open("/proc/self/mountinfo", errors="surrogateescape") as mounts:
        found = [line.split(" ")[4] for line in mounts]
    prefix = str(directory)
    return [where for where in found if where == prefix or where.startswith(prefix + "/")]


def wait_until(
    condition: Callable[[], bool], what: str, patience: float = PATIENCE, interval: float = 0.01
) -> None:
    """Return when *condition* holds; fail, saying *what* did not happen, when it never does.

    It is looked at every *interval* seconds, as often as *patience* seconds have room for. So time
    in which the machine did not get to this process is not counted against anybody.
    """
    for _ in range(round(patience / interval)):
        if condition():
            return
        select.select([], [], [], interval)
    raise AssertionError(f"in {patience} seconds this did not happen: {what}")


def is_running(pid: int) -> bool:
    """Tell whether the process *pid* runs; one that has ended may wait to be reaped."""
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def drop_caches() -> None:
    """Make the kernel forget every page, entry and inode that it can."""
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("3")


class Mount:
    """An archive that is mounted at ``path``. Its messages go to ``log``.

    ``kept`` is for how many seconds its server keeps what it could have again, if not the usual.
    """

    def __init__(self, archive: Path, directory: Path) -> None:
        self.archive = archive
        self.path = directory / "headers"
        self.path.mkdir()
        self.log = directory / "log"
        self.pid = 0
        self.kept: float | None = None
        # A number may be another process's by the time of a clean-up; a descriptor may not.
        self._server = -1
        self._accepted: list[str] = []

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def mount(self, *options: str | Path) -> None:
        """Run the mount command."""
        words = command_line("mount", "--log", self.log, *options, self.archive, self.path)
        if self.kept is not None:
            words[1:3] = ["-c", _KEEPING.format(seconds=self.kept)]
        outcome = run_words(*words)
        assert outcome == Outcome(0, "", ""), outcome
        try:
            self.pid = self.status()["pid"]
        except MountpointError:
            # An idle one may have gone away before this process came to look.
            if "--idle-timeout" not in options or mounts_below(self.path):
                raise
            return
        self._forget_server()
        self._server = os.pidfd_open(self.pid)

    def _forget_server(self) -> None:
        if self._server >= 0:
            os.close(self._server)
            self._server = -1

    def status(self) -> dict[str, Any]:
        """Return what the server says of itself, asking the kernel for nothing else."""
        return servers.read_status(str(self.path))

    def accept(self, pattern: str) -> None:
        """Expect messages in the log that match the regular expression *pattern*."""
        self._accepted.append(pattern)

    def messages(self) -> list[str]:
        """Return the lines of the log."""
        return self.log.read_text(errors="surrogateescape").splitlines()

    def unmount(self) -> None:
        """Run the umount command, and check that the server ended with it."""
        outcome = run_command("umount", self.path)
        assert outcome == Outcome(0, "", ""), outcome
        assert not is_running(self.pid), "umount returned before the server ended"

    def clean_up(self) -> None:
        """Take away what a failed test may have left, without asking whether all is well."""
        if mounts_below(self.path):
            run_command("umount", "--lazy", self.path)
        if self._server >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._server, signal.SIGKILL)
        self._forget_server()

    def check_nothing_left(self) -> None:
        """Check what must hold at the end of every test."""
        assert not mounts_below(self.path), "still mounted"
        wait_until(lambda: not is_running(self.pid), "the server ended")
        assert list(self.path.iterdir()) == []
        unexpected = [
            line
            for line in self.messages()
            if not any(re.search(pattern, line) for pattern in self._accepted)
        ]
        assert unexpected == []


def is_mounted(mount: Mount) -> bool:
    return bool(mounts_below(mount.path))


def await_end(mount: Mount) -> None:
    wait_until(lambda: not is_running(mount.pid), "the server ended")
    mount.check_nothing_left()
