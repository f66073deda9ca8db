"""What ``kheadersfs run`` waits for when its command has ended: what is sure to end as well."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from kheadersfs.run import server
from kheadersfs.run.child import Child, Run
from tests.support.mounting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CLONE_NEWNS = 0x00020000


def start_server() -> subprocess.Popen[bytes]:
    """Start what ends with status 3 when its standard input does."""
    return subprocess.Popen(["sh", "-c", "read word; exit 3"], stdin=subprocess.PIPE)


def test_a_server_that_nobody_needs_is_waited_for_however_long_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0)
    slow = start_server()
    assert slow.stdin is not None

    def is_needed() -> bool:
        assert slow.stdin is not None
        slow.stdin.close()
        return False

    slow.returncode = server.Server(slow.pid).await_end(is_needed)
    assert slow.returncode == 3


def test_a_server_that_is_needed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0)
    with start_server() as serving:
        assert server.Server(serving.pid).await_end(lambda: True) == 0
        assert serving.poll() is None


def test_a_process_that_a_command_leaves_behind_is_seen_in_its_namespace(
    root: None, tmp_path: Path
) -> None:
    def enter() -> str:
        assert not ctypes.CDLL(None).unshare(CLONE_NEWNS)
        return str(tmp_path)

    script = 'sleep 600 >/dev/null 2>&1 & echo $! >"$0"'
    command = Child(enter, Run(["sh", "-c", script, str(tmp_path / "left")], lambda _: {}))
    command.await_start()
    assert command.wait() == 0
    left = int((tmp_path / "left").read_text())
    try:
        assert command.namespace != os.stat("/proc/self/ns/mnt").st_ino
        assert command.has_left_processes()
    finally:
        with suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)
    wait_until(lambda: not command.has_left_processes(), "nobody is in the namespace")
