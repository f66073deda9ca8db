"""Faults of the machine, of the server and of its clients: what is served stays right."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    Mount,
    Outcome,
    command_line,
    run_command,
    wait_until,
)

if TYPE_CHECKING:
    from tests.conftest import Mounting, Prepare


SEED = 11
CYCLES = 15
KILLS = 12
CLIENTS = 12
ADDRESS_SPACE = 140 << 20
LONGEST_KILL = 0.25
"""Seconds in which a mount, a look at it and its end fit."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """An archive of one file that takes a while to read, and its content."""
    top = tmp_path_factory.mktemp("large")
    content = random.Random(SEED).randbytes(48 << 20)
    (top / "large").write_bytes(content)
    archive: Path = top / "large.tar.xz"
    subprocess.run(["tar", "-cf", top / "plain", "-C", top, "large"], check=True)
    with archive.open("wb") as file:
        subprocess.run(["xz", "-0", "-c", top / "plain"], stdout=file, check=True)
    return archive, content


def test_a_full_log_disk_ends_nothing(
    mount: Mounting, prepared_mount: Prepare, small_archive: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "refused.tar"
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "good").write_bytes(b"good\n")
    subprocess.run(["tar", "-cf", damaged, "-C", tmp_path, "fifo", "good"], check=True)
    mounted = prepared_mount(damaged)
    outcome = run_command("mount", "--log", "/dev/full", damaged, mounted.path)
    assert outcome == Outcome(0, "", "")
    mounted.pid = mounted.status()["pid"]
    assert (mounted / "good").read_bytes() == b"good\n"
    assert mounted.status()["refused"] == 1
    mounted.unmount()


def test_too_little_memory_is_an_error_and_no_end(
    prepared_mount: Prepare, large: tuple[Path, bytes]
) -> None:
    """What the server is left with is enough to start, and not to hold the archive's content."""
    archive, _ = large
    mounted = prepared_mount(archive)
    words = command_line("mount", "--log", mounted.log, archive, mounted.path)
    subprocess.run(["prlimit", f"--as={ADDRESS_SPACE}", *words], check=True)
    mounted.pid = mounted.status()["pid"]
    for _ in range(3):
        with pytest.raises(OSError, match=r"Input/output error|Cannot allocate memory"):
            (mounted / "large").read_bytes()
    assert mounted.status()["pid"] == mounted.pid
    mounted.unmount()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """An archive with an index, of two files with the same content in a block each."""
    top = tmp_path_factory.mktemp("packed")
    content = random.Random(SEED).randbytes(64 << 10) * 144
    for name in ("first", "second"):
        (top / name).write_bytes(content)
    archive: Path = top / "packed.tar.xz"
    subprocess.run(["tar", "-cf", top / "plain", "-C", top, "first", "second"], check=True)
    assert run_command("repack", top / "plain", archive).status == 0
    return archive, content


def limit(mounted: Mount, resource: str, value: int | str) -> None:
    """Change a soft limit of the server, as the user that it has become may."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    change = ["prlimit", f"--pid={mounted.pid}", f"--{resource}={value}:"]
    subprocess.run([*become, *change], check=True)


def threads_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_where_no_more_threads_can_be_started_those_there_do_all_the_work(
    root: None, mount: Mounting, packed: tuple[Path, bytes]
) -> None:
    archive, content = packed
    mounted = mount(archive)
    limit(mounted, "nproc", 1)
    before = threads_of(mounted.pid)
    for name in ("first", "second"):
        assert (mounted / name).read_bytes() == content
    assert threads_of(mounted.pid) == before


def test_what_needs_threads_is_an_error_until_they_can_be_started(
    root: None, mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    message = "cannot work in parallel: can't start new thread; let its user have more processes"
    mounted.accept(message)
    limit(mounted, "nproc", 1)
    for _ in range(3):
        with pytest.raises(OSError, match="Input/output error"):
            (mounted / "modes/644").read_bytes()
    assert threads_of(mounted.pid) == 1
    limit(mounted, "nproc", 1000)
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    assert any(message in line for line in mounted.messages())


def test_memory_that_comes_back_is_used_again(
    root: None, mount: Mounting, packed: tuple[Path, bytes]
) -> None:
    """What failed for want of it was not damaged, and the thread that wanted it works on."""
    archive, content = packed
    mounted = mount(archive)
    mounted.accept("out of memory")
    assert (mounted / "first").stat().st_size == len(content)
    threads = threads_of(mounted.pid)
    limits = Path(f"/proc/{mounted.pid}/limits").read_text()
    before = next(line.split()[3] for line in limits.splitlines() if "address space" in line)
    limit(mounted, "as", 1 << 20)
    for _ in range(20):
        with pytest.raises(OSError, match=r"Cannot allocate memory|Input/output error"):
            (mounted / "first").read_bytes()
    assert mounted.status()["blocks_damaged"] == 0
    assert threads_of(mounted.pid) >= threads
    limit(mounted, "as", before)
    for name in ("first", "second"):
        assert (mounted / name).read_bytes() == content


def test_clients_that_are_killed_while_they_read_disturb_nobody(
    mount: Mounting, large: tuple[Path, bytes]
) -> None:
    archive, content = large
    mounted = mount(archive)
    generator = random.Random(SEED)
    for _ in range(CLIENTS):
        client = subprocess.Popen(["cat", mounted / "large"], stdout=subprocess.DEVNULL)
        time.sleep(generator.random() * 0.1)
        client.kill()
        client.wait()
    assert (mounted / "large").read_bytes() == content
    wait_until(lambda: not mounted.status()["open_files"], "every file was closed")


def test_a_read_that_a_signal_interrupts_is_taken_up_again(
    mount: Mounting, large: tuple[Path, bytes]
) -> None:
    archive, content = large
    mounted = mount(archive)
    script = (
        "import hashlib, signal, sys\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)\n"
        "with open(sys.argv[1], 'rb') as file:\n"
        "    content = file.read()\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "print(len(content), hashlib.sha256(content).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, mounted / "large"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(len(content)), hashlib.sha256(content).hexdigest()]
