"""Ways to make headers visible in a directory, and to take them away again."""

from __future__ import annotations

import os
import shutil
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from benchmark.processes import Command, await_all_ended, find_program, kill_all, timed_run

if TYPE_CHECKING:
    from collections.abc import Sequence


class Way(Protocol):
    """One way. ``directory`` is where the headers are between ``show`` and ``hide``."""

    directory: str

    def show(self) -> float:
        """Make the headers visible. Returns the seconds it took; raises Failed."""

    def hide(self) -> float:
        """Take them away. Returns the seconds it took; raises Failed."""

    def settle(self) -> None:
        """After ``hide``: wait, outside the measured time, until nothing of it runs any more."""

    def abandon(self) -> None:
        """After a failure: leave nothing running, nothing mounted, no files."""


class Extracted:
    """Nothing to do: the headers are there already."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def show(self) -> float:
        """See Way."""
        return 0.0

    def hide(self) -> float:
        """See Way."""
        return 0.0

    def settle(self) -> None:
        """See Way."""

    def abandon(self) -> None:
        """See Way."""


class Extraction:
    """tar extracts an archive into a new directory, rm removes it."""

    def __init__(self, archive: str, directory: str, log: str) -> None:
        self.directory = directory
        self._extract = Command(
            [find_program("tar"), "-xf", archive, "-C", directory], os.environ, log
        )
        self._remove = Command([find_program("rm"), "-r", directory], os.environ, log)

    def show(self) -> float:
        """See Way."""
        began = perf_counter()
        os.mkdir(self.directory)
        timed_run(self._extract)
        return perf_counter() - began

    def hide(self) -> float:
        """See Way."""
        return timed_run(self._remove)

    def settle(self) -> None:
        """See Way."""

    def abandon(self) -> None:
        """See Way."""
        shutil.rmtree(self.directory, ignore_errors=True)


class Mount:
    """One command mounts, another unmounts; a server may run in between."""

    def __init__(self, mount: list[str], unmount: list[str], directory: str, log: str) -> None:
        self.directory = directory
        self._mount = Command(mount, os.environ, log)
        self._unmount = Command(unmount, os.environ, log)
        self._detach = Command([find_program("umount"), "--lazy", directory], os.environ, log)
        os.makedirs(directory, exist_ok=True)

    def show(self) -> float:
        """See Way."""
        return timed_run(self._mount)

    def hide(self) -> float:
        """See Way."""
        return timed_run(self._unmount)

    def settle(self) -> None:
        """See Way."""
        await_all_ended()

    def abandon(self) -> None:
        """See Way."""
        kill_all()
        if os.path.ismount(self.directory) or not os.access(self.directory, os.R_OK):
            timed_run(self._detach)


class PrivateRun:
    """``kheadersfs run``: shows the headers to one command only, and is gone when that ends."""

    def __init__(self, command: Sequence[str], log: str) -> None:
        self._command = command
        self._log = log

    def run(self, command: Sequence[str]) -> float:
        """Run *command*, which finds the headers at ``$KHEADERS``. Returns seconds."""
        elapsed = timed_run(Command([*self._command, *command], os.environ, self._log))
        await_all_ended()
        return elapsed
