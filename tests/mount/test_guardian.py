"""The guardian unmounts for a server that has no rights left, also for one that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from kheadersfs.mount import servers
from tests.support.mounting import (
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

    from tests.conftest import Mounting, Prepare
    from tests.support.mounting import Mount

WAITING_SERVER = """\
import os
def wait():
    open("{pipe}").close()
os.register_at_fork(after_in_child=wait)
from kheadersfs.cli import script
script()
"""
"""Has the server do nothing until somebody opens a pipe."""


@pytest.fixture(params=[(), ("--prefetch",)], ids=["mount", "mount --prefetch"])
def mounted(
    prepared_mount: Prepare, small_archive: Path, request: pytest.FixtureRequest
) -> Iterator[Mount]:
    """A mount that the test makes an end to; the server has had a decoder with --prefetch."""
    mount = prepared_mount(small_archive)
    mount.mount(*request.param)
    guardian: int = mount.status()["guardian"]
    yield mount
    wait_until(lambda: not is_running(mount.pid), "the server ended")
    wait_until(lambda: not is_running(guardian), "the guardian ended")


def await_nothing(mount: Mount) -> None:
    wait_until(lambda: not mounts_below(mount.path), "the mount went away")
    assert list(mount.path.iterdir()) == []


def test_a_killed_server_leaves_no_dead_mount(mounted: Mount) -> None:
    os.kill(mounted.pid, signal.SIGKILL)
    await_nothing(mounted)


def test_a_server_killed_while_its_files_are_open_leaves_no_dead_mount(mounted: Mount) -> None:
    descriptor = os.open(mounted / "sizes/513", os.O_RDONLY)
    try:
        os.kill(mounted.pid, signal.SIGKILL)
        await_nothing(mounted)
    finally:
        with suppress(OSError):  # closing asks the server, which is gone
            os.close(descriptor)


def test_the_guardian_does_not_unmount_what_others_mounted_since(
    mounted: Mount, root: None
) -> None:
    """The server still serves an open file of a mount that was detached, and is killed then."""
    guardian: int = mounted.status()["guardian"]
    with (mounted / "sizes/513").open("rb") as stream:
        assert run_command("umount", "--lazy", mounted.path) == Outcome(0, "", "")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted.path], check=True)
        try:
            os.kill(mounted.pid, signal.SIGTERM)
            assert len(stream.read()) == 513
            os.kill(mounted.pid, signal.SIGKILL)
            wait_until(lambda: not is_running(guardian), "the guardian ended")
            assert len(mounts_below(mounted.path)) == 1
        finally:
            subprocess.run(["umount", mounted.path], check=True)


def test_the_guardian_does_not_unmount_what_others_mounted_before_it_was_started(
    root: None, prepared_mount: Prepare, small_archive: Path, tmp_path: Path
) -> None:
    mount = prepared_mount(small_archive)
    words = command_line("mount", "--log", mount.log, small_archive, mount.path)
    words[1:3] = ["-c", WAITING_SERVER.format(pipe=tmp_path / "pipe")]
    os.mkfifo(tmp_path / "pipe")
    # The waiting server would hold pipes to this process open.
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    covered = os.open(mount.path, os.O_PATH)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mount.path], check=True)
    (tmp_path / "pipe").open("w").close()
    ask = partial(servers.read_status, f"/proc/self/fd/{covered}")
    status = ask()
    os.kill(status["pid"], signal.SIGTERM)
    ask()  # by its answer it has told the guardian
    os.close(covered)
    os.kill(status["pid"], signal.SIGKILL)
    wait_until(lambda: not is_running(status["guardian"]), "the guardian ended")
    assert len(mounts_below(mount.path)) == 2
    subprocess.run(["umount", mount.path], check=True)


def test_signals_to_the_guardian_do_not_end_it(mounted: Mount) -> None:
    guardian = mounted.status()["guardian"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(guardian, number)
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    os.kill(mounted.pid, signal.SIGTERM)
    await_nothing(mounted)


def test_a_killed_guardian_is_survived(mounted: Mount) -> None:
    os.kill(mounted.status()["guardian"], signal.SIGKILL)
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    mounted.unmount()


def test_without_its_guardian_a_server_that_is_to_end_ends(mounted: Mount) -> None:
    """It cannot unmount; the next command does."""
    guardian: int = mounted.status()["guardian"]
    os.kill(guardian, signal.SIGKILL)
    wait_until(lambda: not is_running(guardian), "the guardian ended")
    os.kill(mounted.pid, signal.SIGTERM)
    wait_until(lambda: not is_running(mounted.pid), "the server ended")
    assert len(mounts_below(mounted.path)) == 1
    assert run_command("umount", mounted.path) == Outcome(0, "", "")
    await_nothing(mounted)


def test_without_its_guardian_an_idle_server_says_that_it_cannot_unmount_and_goes_on(
    mount: Mounting, small_archive: Path
) -> None:
    idle = mount(small_archive, "--idle-timeout", "1")
    guardian: int = idle.status()["guardian"]
    os.kill(guardian, signal.SIGKILL)
    idle.accept(f"ERROR: .*guardian {guardian}.* does not listen")
    wait_until(lambda: bool(idle.messages()), "the server became idle")
    assert (idle / "modes/644").read_bytes() == b"mode\n"
    assert is_running(idle.pid)


def test_umount_returns_when_the_guardian_is_gone_too(mounted: Mount) -> None:
    guardian: int = mounted.status()["guardian"]
    mounted.unmount()
    assert not is_running(guardian)


def test_the_guardian_takes_little_memory(mounted: Mount, root: None) -> None:
    """A fork of the interpreter would keep some 8 MB."""
    guardian: int = mounted.status()["guardian"]
    with open(f"/proc/{guardian}/smaps_rollup") as rollup:
        fields = dict(line.split(":") for line in rollup.read().splitlines()[1:])
    assert int(fields["Private_Dirty"].split()[0]) < 1000  # bash takes 600 kB, dash 100
    mounted.unmount()


@pytest.mark.parametrize(
    "name", ["with space", "back\\slash", "tab\tand\nnewline", "-l", "caf\xe9"]
)
def test_any_name_of_a_mountpoint_is_unmounted(
    prepared_mount: Prepare, small_archive: Path, name: str
) -> None:
    mount = prepared_mount(small_archive)
    mountpoint = mount.path.parent / name
    mountpoint.mkdir()
    assert run_command("mount", "--log", mount.log, small_archive, "--", mountpoint).status == 0
    status = run_command("status", "--json", "--", mountpoint)
    assert status.status == 0, status
    server = json.loads(status.output)["pid"]
    os.kill(server, signal.SIGTERM)
    wait_until(lambda: not is_running(server), "the server ended")
    assert not os.path.ismount(mountpoint)
