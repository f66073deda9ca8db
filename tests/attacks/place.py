"""A place to mount an archive over and over again, which notices whatever is wrong or left over.

Everything here returns what is wrong as lines of text, none if all is well, so that a run of hours
goes on after a fault and counts it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kheadersfs.mount.asking import STATUS_ATTRIBUTE
from kheadersfs.reader import open_archive
from tests.attacks.damage import digest_of
from tests.support.mounting import command_line, is_running, mounts_below
from tests.support.processes import all_processes, processes_mentioning
from tests.torture.pace import await_that

if TYPE_CHECKING:
    from collections.abc import Iterable

_SERVER_FAILED = "please report this"


def read_digests(archive: Path) -> dict[str, bytes]:
    """Return the digest of each file of *archive* by its name. Raises KheadersfsError."""
    with open_archive(archive) as opened:
        return {entry.path: digest_of(opened.read(entry.path)) for entry in opened if entry.is_file}


def processes_of(mountpoint: Path) -> dict[int, list[bytes]]:
    """Return the processes that name *mountpoint* in their arguments, and these arguments.

    That is all that serve or use it: commands, server, guardian, and what the tests start.
    """
    found = processes_mentioning(os.fsencode(mountpoint))
    return {pid: arguments for pid, arguments in found.items() if is_running(pid)}


def open_files(paths: tuple[Path, ...]) -> list[str]:
    """Return which processes have files open that are at or below *paths*."""
    found: list[str] = []
    for process in all_processes():
        with suppress(OSError):
            for link in Path(f"/proc/{process}/fd").iterdir():
                target = link.readlink()
                if any(target.is_relative_to(path) for path in paths):
                    found.append(f"process {process} has {target} open")
    return found


class Place:
    """*archive* and where it is mounted: below *directory*, which has nothing else in it."""

    def __init__(self, archive: Path, directory: Path) -> None:
        self.archive = archive
        self.mountpoint = directory / "headers"
        self.log = directory / "log"
        self.digests = read_digests(archive)
        self._names = list(self.digests)
        self._errors = directory / "errors"
        self._temporary = directory / "temporary"
        self.mountpoint.mkdir()
        self._temporary.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for whatever is started here."""
        return {**os.environ, "TMPDIR": str(self._temporary)}

    def run(self, *arguments: str | Path) -> list[str]:
        """Run a kheadersfs command; that it fails or does not end is wrong."""
        with self._errors.open("w+") as errors:
            process = subprocess.Popen(
                command_line(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=self.environment,
            )
            ended = await_that(lambda: process.poll() is not None)
            if not ended:
                process.kill()
            status = process.wait()
            errors.seek(0)
            said = errors.read().strip()
        if not ended:
            return [f"{arguments[0]} does not end"]
        return [f"{arguments[0]} ended with status {status}: {said}"] if status or said else []

    def mount(self) -> list[str]:
        return self.run("mount", "--log", self.log, self.archive, self.mountpoint)

    def unmount(self) -> list[str]:
        return self.run("umount", self.mountpoint)

    def clean_up(self) -> None:
        """Take away what a run that was interrupted has left."""
        if self.is_mounted():
            self.run("umount", "--lazy", self.mountpoint)

    def is_mounted(self) -> bool:
        return bool(mounts_below(self.mountpoint))

    def answers(self) -> bool:
        """Tell whether it is mounted and its server lives."""
        try:
            return self.is_mounted() and bool(os.listdir(self.mountpoint))
        except OSError:
            return False

    def status(self) -> dict[str, Any]:
        """Return what the server says of itself, however long it takes. Raises OSError."""
        status: dict[str, Any] = json.loads(os.getxattr(self.mountpoint, STATUS_ATTRIBUTE))
        return status

    def choose(self, generator: random.Random, count: int) -> list[str]:
        """Return the names of *count* files."""
        return generator.choices(self._names, k=count)

    def compare(self, names: Iterable[str]) -> list[str]:
        """Hold files against the archive."""
        wrong: list[str] = []
        for name in names:
            try:
                content = (self.mountpoint / name).read_bytes()
            except OSError as error:
                wrong.append(f"{name}: {error}")
            else:
                if digest_of(content) != self.digests[name]:
                    wrong.append(f"{name}: wrong bytes")
        return wrong

    def left_over(self) -> list[str]:
        """What is still there of a mount, once processes had the time to end."""
        await_that(lambda: not processes_of(self.mountpoint))
        left = [
            f"process {pid} is left: {b' '.join(arguments)!r}"
            for pid, arguments in processes_of(self.mountpoint).items()
        ]
        left += open_files((self.mountpoint, self.log))
        left += [f"still mounted: {where}" for where in mounts_below(self.mountpoint)]
        with suppress(OSError):  # a dead mount, which is said above
            left += [f"{name} is left" for name in os.listdir(self.mountpoint)]
        return left + [f"{name} is left in TMPDIR" for name in os.listdir(self._temporary)]

    def messages(self) -> list[str]:
        """What the servers have logged."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def failures(self) -> list[str]:
        """What the servers have logged of exceptions that nobody had foreseen."""
        return [line for line in self.messages() if _SERVER_FAILED in line]
