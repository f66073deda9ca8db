"""What a mount does before it serves, and signals that come too early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import (
    mounts_below,
    run_command,
)

if TYPE_CHECKING:
    from tests.conftest import Mounting, Prepare


from tests.support.mounting import await_end, is_mounted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_anything_else_unmounts(
    prepared_mount: Prepare, small_archive: Path, number: signal.Signals
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    os.kill(mount.pid, number)
    await_end(mount)


WITHOUT_PROCESSES = """
import os, sys

def fork():
    raise BlockingIOError(11, os.strerror(11))

os.fork = fork
from kheadersfs.cli import script
script()
"""


@pytest.mark.parametrize("option", [(), ("--strict",)])
def test_where_no_process_can_be_started_nothing_stays_mounted(
    fuse: None, small_archive: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROCESSES, "mount", *option, small_archive, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "kheadersfs: no process can be started: Resource temporarily unavailable; "
        "end some, or let their user have more\n"
    )
    assert not mounts_below(tmp_path)


# At the last moment before the mount has a server, the signal NUMBER comes, as from a terminal.
SIGNALLED = """
import os, signal, sys
from kheadersfs.mount import mounting

number = int(sys.argv.pop(1))
if sys.argv.pop(1) == "ignored":
    signal.signal(number, signal.SIG_IGN)
mount = mounting.mount

def signalled(request):
    device = mount(request)
    os.kill(os.getpid(), number)
    return device

mounting.mount = signalled
from kheadersfs.cli import script
script()
"""


def run_signalled(number: signal.Signals, how: str, *arguments: str | Path) -> int:
    words = [sys.executable, "-c", SIGNALLED, str(int(number)), how, *arguments]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.stdout, done.stderr) == ("", "")
    return done.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("way", [(), ("--foreground",)])
def test_a_signal_before_the_mount_is_served_leaves_nothing_mounted(
    prepared_mount: Prepare, small_archive: Path, number: signal.Signals, way: tuple[str, ...]
) -> None:
    place = prepared_mount(small_archive).path
    assert run_signalled(number, "", "mount", *way, small_archive, place) in (-number, 130)
    assert not mounts_below(place)


def test_a_signal_that_is_ignored_does_not_keep_from_mounting(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    arguments = ("mount", "--log", mount.log, small_archive, mount.path)
    assert run_signalled(signal.SIGHUP, "ignored", *arguments) == 0
    assert (mount / "modes/644").read_bytes() == b"mode\n"
    assert run_command("umount", mount.path).status == 0


def test_refused_members_are_named_in_the_log(
    mount: Mounting, tmp_path: Path, synthetic_tree: Path
) -> None:
    archive = tmp_path / "archive.tar"
    os.mkfifo(tmp_path / "fifo")
    subprocess.run(
        ["tar", "-cf", archive, "-C", synthetic_tree, "modes", "-C", tmp_path, "fifo"], check=True
    )
    mounted = mount(archive)
    mounted.accept("WARNING: .*'fifo' refused")
    assert os.listdir(mounted.path) == ["modes"]
    assert any("'fifo' refused" in line for line in mounted.messages())
    assert mounted.status()["refused"] == 1


def test_strict_refuses_an_archive_with_members_that_would_be_left_out(
    prepared_mount: Prepare, tmp_path: Path
) -> None:
    archive = tmp_path / "archive.tar"
    os.mkfifo(tmp_path / "fifo")
    subprocess.run(["tar", "-cf", archive, "-C", tmp_path, "fifo"], check=True)
    mount = prepared_mount(archive)
    strict = run_command("mount", "--strict", archive, mount.path)
    assert strict.status == 14
    assert "'fifo' refused" in strict.errors
    assert not is_mounted(mount)


def test_a_log_that_cannot_be_written_is_an_error(
    prepared_mount: Prepare, small_archive: Path, tmp_path: Path
) -> None:
    mount = prepared_mount(small_archive)
    log = tmp_path / "missing" / "log"
    outcome = run_command("mount", "--log", log, small_archive, mount.path)
    assert outcome.status == 1
    assert f"{log.parent}: no such directory; make it: mkdir -p {log.parent}\n" in outcome.errors
    assert not is_mounted(mount)


def test_the_server_keeps_nothing_of_its_caller(mount: Mounting, small_archive: Path) -> None:
    """Who reads the command's output to its end, or unmounts where it was, is not kept waiting."""
    mounted = mount(small_archive)
    process = f"/proc/{mounted.pid}"
    open_files = [os.readlink(f"{process}/fd/{name}") for name in os.listdir(f"{process}/fd")]
    assert open_files.count(os.devnull) == 3
    assert os.readlink(f"{process}/cwd") == "/"
    assert os.getsid(mounted.pid) == mounted.pid
