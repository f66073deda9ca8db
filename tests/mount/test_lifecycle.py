"""The life of a mount: what starts it, what ends it, and that nothing is left afterwards."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    Mount,
    Outcome,
    command_line,
    is_running,
    mounts_below,
    run_command,
    wait_until,
)
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Mounting, Prepare

    Start = Callable[..., subprocess.Popen[bytes]]

from tests.support.mounting import await_end, is_mounted


@pytest.fixture
def background() -> Iterator[Start]:
    """Start commands that do not end by themselves; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command_line(*arguments), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def test_umount_returns_when_the_server_is_gone(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    assert (mount / "modes/644").read_bytes() == b"mode\n"
    assert run_command("umount", mount.path) == Outcome(0, "", "")
    assert not is_running(mount.pid)
    mount.check_nothing_left()


def test_the_working_directory_can_be_mounted_at(
    prepared_mount: Prepare, small_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server must not look for modules there, where it would have to answer itself."""
    mount = prepared_mount(small_archive)
    monkeypatch.chdir(mount.path)
    mount.mount()
    assert (mount / "modes/644").read_bytes() == b"mode\n"
    mount.unmount()
    mount.check_nothing_left()


def test_an_archive_can_be_mounted_many_times_at_once(mount: Mounting, small_archive: Path) -> None:
    mounts = [mount(small_archive) for _ in range(3)]
    assert len({mounted.pid for mounted in mounts}) == 3
    assert {(mounted / "modes/644").read_bytes() for mounted in mounts} == {b"mode\n"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts(
    prepared_mount: Prepare, small_archive: Path, number: signal.Signals
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    assert (mount / "modes/644").read_bytes() == b"mode\n"
    os.kill(mount.pid, number)
    await_end(mount)


def test_after_a_signal_open_files_are_served_until_they_are_closed(
    prepared_mount: Prepare, small_archive: Path, synthetic_tree: Path
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    with open(mount / "sizes/300000", "rb", buffering=0) as stream:
        os.kill(mount.pid, signal.SIGTERM)
        wait_until(lambda: not is_mounted(mount), "it is unmounted")
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert stream.read() == (synthetic_tree / "sizes/300000").read_bytes()
        assert is_running(mount.pid)
    await_end(mount)


def test_a_mounts_archive_can_be_named_as_for_run(
    prepared_mount: Prepare, small_archive: Path, tmp_path: Path
) -> None:
    mount = prepared_mount(small_archive)
    for words in (
        ("--log", mount.log, "--archive", small_archive, mount.path),
        (mount.path, "--log", mount.log, "--archive", small_archive),
        (small_archive, "--log", mount.log, mount.path),
    ):
        assert run_command("mount", *words) == Outcome(0, "", "")
        mount.pid = mount.status()["pid"]
        assert (mount / "modes/644").read_bytes() == b"mode\n"
        mount.unmount()
        mount.check_nothing_left()
    out = tmp_path / "out.tar.xz"
    assert run_command("repack", "-o", out, "--archive", small_archive) == Outcome(0, "", "")
    assert run_command("verify", out).status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_stays_until_a_signal(
    prepared_mount: Prepare, background: Start, small_archive: Path, number: signal.Signals
) -> None:
    mount = prepared_mount(small_archive)
    process = background("mount", "--foreground", small_archive, mount.path)
    wait_until(lambda: is_mounted(mount), "it is mounted")
    assert (mount / "modes/644").read_bytes() == b"mode\n"
    assert mount.status()["pid"] == process.pid
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert not is_mounted(mount)


def test_in_the_foreground_it_ends_when_it_is_unmounted(
    prepared_mount: Prepare, background: Start, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    process = background("mount", "--foreground", small_archive, mount.path)
    wait_until(lambda: is_mounted(mount), "it is mounted")
    assert (mount / "modes/644").read_bytes() == b"mode\n"
    assert run_command("umount", mount.path) == Outcome(0, "", "")
    assert process.wait(20) == 0


def test_an_idle_mount_goes_away(prepared_mount: Prepare, small_archive: Path) -> None:
    mount = prepared_mount(small_archive)
    mount.mount("--idle-timeout", "0.3")
    with suppress(FileNotFoundError):  # when this process comes to look later than that
        (mount / "modes/644").read_bytes()
    await_end(mount)


def test_a_mount_that_nobody_ever_looked_at_goes_away_too(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount("--idle-timeout", "0.5")
    await_end(mount)


def test_an_open_file_keeps_an_idle_mount(prepared_mount: Prepare, small_archive: Path) -> None:
    """On a machine that keeps this process from opening it in time, a longer time is tried."""
    for timeout in (0.5, 4.0, 16.0):
        mount = prepared_mount(small_archive)
        mount.mount("--idle-timeout", str(timeout))
        with suppress(FileNotFoundError), open(mount / "sizes/513", "rb") as stream:
            due = time.monotonic() + 2.4 * timeout
            wait_until(lambda due=due: time.monotonic() > due, "time passed")  # type: ignore[misc]
            assert is_mounted(mount)
            assert len(stream.read()) == 513
            break
        await_end(mount)
    else:
        pytest.fail("this process was never able to open a file in time")
    await_end(mount)


def test_a_mount_that_goes_away_unseen_is_not_read_for_that(
    prepared_mount: Prepare, small_archive: Path, tmp_path: Path
) -> None:
    """What is no archive inside shows when it is read, and then there is an error in the log."""
    content = small_archive.read_bytes()
    archive = tmp_path / "damaged.tar.xz"
    archive.write_bytes(altered(content, len(content) // 2))
    mount = prepared_mount(archive)
    mount.mount("--idle-timeout", "0")
    await_end(mount)
    assert mount.messages() == []


def test_a_mount_whose_files_are_opened_now_and_then_is_not_idle(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    """On a machine that keeps this process from looking in time, a longer time is tried."""
    for timeout in (1.0, 4.0, 16.0):
        mount = prepared_mount(small_archive)
        mount.mount("--idle-timeout", str(timeout))
        looks = [time.monotonic()]
        with suppress(FileNotFoundError):
            while looks[-1] - looks[0] < 2.5 * timeout:
                (mount / "modes/644").read_bytes()
                looks.append(time.monotonic())
                select.select([], [], [], 0.3 * timeout)
        looks.append(time.monotonic())
        in_time = max(later - look for look, later in pairwise(looks)) < timeout
        survived = looks[-1] - looks[0] >= 2.5 * timeout
        await_end(mount)
        if in_time:
            assert survived
            return
    pytest.fail("this process was never able to look in time")


@pytest.fixture
def dead_mount(prepared_mount: Prepare, small_archive: Path) -> Mount:
    """A mount whose server was killed, and its guardian before that."""
    mount = prepared_mount(small_archive)
    mount.mount()
    (mount / "modes/644").read_bytes()
    os.kill(mount.status()["guardian"], signal.SIGKILL)
    os.kill(mount.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(mount.pid), "the server ended")
    with pytest.raises(OSError, match=r"not connected|connection abort"):
        (mount / "new name").stat()
    return mount


def test_a_dead_mount_is_replaced_by_the_next_mount(dead_mount: Mount) -> None:
    dead_mount.mount()
    assert len(mounts_below(dead_mount.path)) == 1
    assert (dead_mount / "modes/644").read_bytes() == b"mode\n"
    dead_mount.unmount()
    dead_mount.check_nothing_left()


def test_a_dead_mount_is_removed_by_umount(dead_mount: Mount) -> None:
    assert run_command("umount", dead_mount.path) == Outcome(0, "", "")
    dead_mount.check_nothing_left()


def test_status_says_that_a_mount_is_dead_and_how_to_clean_up(dead_mount: Mount) -> None:
    outcome = run_command("status", dead_mount.path)
    assert outcome.status == 10
    assert f"kheadersfs umount {dead_mount.path}" in outcome.errors


def test_status_without_a_mountpoint_shows_every_mount(
    mount: Mounting, small_archive: Path
) -> None:
    mounts = [mount(small_archive), mount(small_archive)]
    listed = run_command("status").output
    for mounted in mounts:
        assert str(mounted.path) in listed
