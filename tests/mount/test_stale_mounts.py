"""Commands that come while a killed server is still about to go, with its guardian at work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import MountpointError
from kheadersfs.mount import asking
from tests.support.mounting import (
    HANGS,
    Mount,
    Outcome,
    command_line,
    is_running,
    mounts_below,
    run_command,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Prepare


LONG_ENOUGH = 0.5
"""Seconds in which a command that waits for nothing has usually ended; nothing hangs on it."""


@pytest.fixture
def mounted(prepared_mount: Prepare, small_archive: Path) -> Iterator[Mount]:
    """A mount whose server the test kills."""
    mount = prepared_mount(small_archive)
    mount.mount()
    yield mount
    wait_until(lambda: not is_running(mount.pid), "the server ended")


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command_line(*arguments), stderr=subprocess.PIPE)


def end(command: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Return status and messages of *command*."""
    with command:
        _, errors = command.communicate(timeout=HANGS)
    return command.returncode, errors


def waits_in_the_kernel(process: int) -> bool:
    """Tell whether a thread of *process* waits for a file system's answer."""
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/stack") as stack:
                if "fuse" in stack.read():
                    return True
    return False


@pytest.mark.parametrize("guarded", [True, False])
def test_mount_replaces_a_mount_whose_server_dies_meanwhile(
    root: None, mounted: Mount, guarded: bool
) -> None:
    """The server is asked, and does not answer any more: that is not the usual error."""
    if not guarded:
        os.kill(mounted.status()["guardian"], signal.SIGKILL)
    os.kill(mounted.pid, signal.SIGSTOP)
    command = start("mount", "--log", mounted.log, mounted.archive, mounted.path)
    wait_until(lambda: waits_in_the_kernel(command.pid), "the server was asked")
    os.kill(mounted.pid, signal.SIGKILL)
    assert end(command) == (0, b"")
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    assert run_command("umount", mounted.path) == Outcome(0, "", "")


def test_umount_of_a_mount_whose_server_dies_meanwhile_succeeds(root: None, mounted: Mount) -> None:
    os.kill(mounted.pid, signal.SIGSTOP)
    command = start("umount", mounted.path)
    wait_until(lambda: waits_in_the_kernel(command.pid), "the server was asked")
    os.kill(mounted.pid, signal.SIGKILL)
    assert end(command) == (0, b"")
    assert mounts_below(mounted.path) == []


@pytest.fixture
def slow_umount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe; each guardian that is started from now on unmounts only when that is written to."""
    directory, pipe = tmp_path / "bin", tmp_path / "pipe"
    directory.mkdir()
    os.mkfifo(pipe)
    program = directory / "umount"
    program.write_text(f'#!/bin/sh\nread -r _ <{pipe}\nexec {shutil.which("umount")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return pipe


def test_a_guardian_that_is_late_does_not_unmount_what_was_mounted_since(
    root: None, slow_umount: Path, prepared_mount: Prepare, small_archive: Path
) -> None:
    mounted = prepared_mount(small_archive)
    mounted.mount()
    guardian: int = mounted.status()["guardian"]
    os.kill(mounted.pid, signal.SIGKILL)
    with slow_umount.open("w") as pipe:  # the guardian has looked, and is about to unmount
        command = start("mount", "--log", mounted.log, mounted.archive, mounted.path)
        with suppress(subprocess.TimeoutExpired):
            command.wait(LONG_ENOUGH)
        pipe.write("now\n")
    assert end(command) == (0, b"")
    wait_until(lambda: not is_running(guardian), "the guardian ended")
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    assert run_command("umount", mounted.path) == Outcome(0, "", "")


def test_the_command_that_leaves_a_stuck_server_behind_is_quoted_for_a_shell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = Event()
    monkeypatch.setattr(asking, "PATIENCE", 0.01)
    monkeypatch.setattr(os, "getxattr", lambda *_: answered.wait() and b"")
    try:
        with pytest.raises(MountpointError, match=r"kheadersfs umount --lazy '/mnt/two words'$"):
            asking.ask("/mnt/two words", asking.SERVER_ATTRIBUTE)
    finally:
        answered.set()


def test_a_stuck_server_is_said_to_be_stuck_and_can_be_left_behind(
    root: None, prepared_mount: Prepare, small_archive: Path
) -> None:
    mounted = prepared_mount(small_archive)
    mounted.mount()
    os.kill(mounted.pid, signal.SIGSTOP)
    try:
        outcome = run_command("umount", mounted.path)
        assert outcome == Outcome(
            10,
            "",
            f"kheadersfs: {mounted.path}: its server does not answer; "
            f"unmount it: kheadersfs umount --lazy {mounted.path}\n",
        )
        assert run_command("umount", "--lazy", mounted.path) == Outcome(0, "", "")
        assert mounts_below(mounted.path) == []
    finally:
        os.kill(mounted.pid, signal.SIGCONT)
    wait_until(lambda: not is_running(mounted.pid), "the server ended")
