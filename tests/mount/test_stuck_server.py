"""A server that is killed while a thread of it waits for an answer: all who wait are freed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from kheadersfs.mount.passing import connected_pair
from kheadersfs.run.child import Child, Run
from kheadersfs.run.namespace import _enter_namespace, _place
from kheadersfs.run.server import Server, _unmount_by_force
from tests.support.mounting import is_running, mounts_below, wait_until
from tests.support.stuck import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONNECTIONS = "/sys/fs/fuse/connections"

pytestmark = pytest.mark.usefixtures("fuse", "root")


@pytest.fixture(params=[False, True], ids=["no fusectl", "fusectl"], autouse=True)
def fusectl(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test without and with the file system that has a file to abort a connection by."""
    kind = ["fusectl", "fusectl", CONNECTIONS]
    was_mounted = os.path.exists(CONNECTIONS) and os.path.ismount(CONNECTIONS)
    if was_mounted != request.param:
        change = ["mount", "-t", *kind] if request.param else ["umount", CONNECTIONS]
        back = ["umount", CONNECTIONS] if request.param else ["mount", "-t", *kind]
        subprocess.run(change, check=True)
    yield
    if was_mounted != request.param:
        subprocess.run(back, check=True)


def start(where: str, *descriptors: int) -> subprocess.Popen[str]:
    """Start a server as tests.support.stuck describes it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.stuck", where],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=descriptors,
    )


def kill_when_stuck(server: subprocess.Popen[str]) -> None:
    """Kill the server once its thread waits for what the kernel does not let be interrupted."""
    assert server.stdout is not None
    assert server.stdout.readline() == "asked to read\n"
    wait_until(lambda: "D" in thread_states(server.pid), "a thread of the server is stuck")
    os.kill(server.pid, signal.SIGKILL)


def thread_states(pid: int) -> list[str]:
    """Return the state of each thread of the process *pid*, a letter of proc_pid_stat(5)."""
    states: list[str] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as status:
            states.append(status.read().rpartition(")")[2].split()[0])
    return states


def test_the_guardian_unmounts_it_and_frees_who_reads(tmp_path: Path) -> None:
    server = start(str(tmp_path))
    try:
        assert server.stdout is not None
        guardian = int(server.stdout.readline())
        with subprocess.Popen(["cat", tmp_path / NAME], stderr=subprocess.DEVNULL) as reader:
            kill_when_stuck(server)
            wait_until(lambda: not mounts_below(tmp_path), "the mount went away")
        assert reader.returncode == 1
        wait_until(lambda: not is_running(guardian), "the guardian ended")
    finally:
        subprocess.run(["umount", "-f", "-l", tmp_path], check=False, stderr=subprocess.DEVNULL)
        server.kill()
        server.communicate()


def test_run_frees_its_command(capfd: pytest.CaptureFixture[str]) -> None:
    ours, theirs = connected_pair()
    process = start(str(ours.fileno()), ours.fileno())
    ours.close()
    place = _place()
    command = Child(
        lambda: _enter_namespace(theirs, "archive"),
        Run(["cat", f"{place}/{NAME}"], lambda _: dict(os.environ)),
    )
    command.await_start()

    def kill() -> None:
        kill_when_stuck(process)
        try:
            wait_until(lambda: not is_running(command.pid), "the command was freed")
        except AssertionError:
            _unmount_by_force(command.pid, place)  # so that this test fails, and does not hang
            raise

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        server = Server(process.pid)
        client = partial(server.await_client, life=theirs.fileno(), mountpoint=place)
        assert command.wait(client) == 1
        assert NAME in capfd.readouterr().err
        process.returncode = server.await_end(lambda: False)
        assert process.returncode == -signal.SIGKILL
    finally:
        killer.join()
        theirs.close()
        process.communicate()
