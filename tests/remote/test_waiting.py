"""Who waits for a server is shown that, and how much has come; in a pipe nothing is said."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import HANGS, command_line, run_command
from tests.support.servers import liar, partial, range_of
from tests.support.terminal import ERASED, seen_on_screen, written_to_terminal

if TYPE_CHECKING:
    import socket
    from pathlib import Path

PIECES = 200
"""In so many pieces a file is sent while nobody has seen that some have come."""
HEADER = "include/linux/kconfig.h"
FETCHING = (
    f"cat ADDRESS {HEADER}",
    "ls ADDRESS",
    "info ADDRESS",
    "verify ADDRESS",
    "repack ADDRESS -o OUT",
    "merge one=ADDRESS -o OUT",
)
MOUNTING = "mount ADDRESS MOUNTPOINT"
WAITING = (MOUNTING, "run --archive ADDRESS -- printenv KHEADERS_RELEASE", "ls ADDRESS")


class Server:
    """Sends *content*, and waits for ``seen``: before anything, or between pieces of all of it."""

    def __init__(self, content: bytes, waits_at_first: bool) -> None:
        self.seen = threading.Event()
        self.asked = threading.Event()
        self._content = content
        self._waits_at_first = waits_at_first

    def answer(self, head: str, connection: socket.socket) -> None:
        self.asked.set()
        asked = range_of(head, len(self._content))
        if asked is not None:
            if self._waits_at_first:
                assert self.seen.wait(HANGS)
            connection.sendall(partial(self._content, *asked, 'ETag: "one"'))
            return
        size = len(self._content)
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: %d\r\n\r\n' % size)
        for number in range(PIECES):
            start, end = (size * at // PIECES for at in (number, number + 1))
            connection.sendall(self._content[start:end])
            self.seen.wait(0.01)


def words_of(command: str, address: str, directory: Path) -> list[str]:
    (directory / "headers").mkdir(parents=True)
    places = {
        "ADDRESS": f"{address}/k",
        "OUT": str(directory / "out.tar.zst"),
        "MOUNTPOINT": str(directory / "headers"),
    }
    for name, place in places.items():
        command = command.replace(name, place)
    return command.split()


@pytest.mark.parametrize("command", FETCHING)
def test_how_much_is_fetched_of_what_is_not_packed_is_shown(
    command: str, part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHEADERSFS_TIMEOUT", str(HANGS))
    server = Server(part.read_bytes(), waits_at_first=False)
    with liar(server.answer) as address:
        words = words_of(command, address, tmp_path / "shown")
        fetched = f"{ERASED}{words[0]}: fetched "

        def react(written: str) -> None:
            if fetched in written:
                server.seen.set()

        written = written_to_terminal(words, react=react)
        assert fetched in written
        monkeypatch.setenv("KHEADERSFS_CACHE", str(tmp_path / "another"))
        piped = run_command(*words_of(command, address, tmp_path / "piped"))
    assert (piped.status, piped.errors) == (0, "")
    assert seen_on_screen(written) == piped.output


@pytest.mark.parametrize("command", WAITING)
def test_after_a_second_it_is_said_that_a_command_waits(
    command: str, packed: Path, tmp_path: Path, fuse: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHEADERSFS_TIMEOUT", str(HANGS))
    server = Server(packed.read_bytes(), waits_at_first=True)
    with liar(server.answer) as address:
        words = words_of(command, address, tmp_path / "there")

        def react(written: str) -> None:
            if f"{ERASED}{words[0]}: waiting, 1 s" in written:
                server.seen.set()

        written = written_to_terminal(words, react=react)
        mountpoint = tmp_path / "there/headers"
        try:
            assert server.seen.is_set()
            here = run_command(*words_of(command.replace("ADDRESS", str(packed)), "", tmp_path))
            assert seen_on_screen(written) == here.output
            assert (mountpoint / HEADER).exists() == (command == MOUNTING)
        finally:
            for place in (mountpoint, tmp_path / "headers"):
                if os.path.ismount(place):
                    run_command("umount", place)


@pytest.mark.parametrize("command", WAITING)
def test_in_a_pipe_no_command_counts_the_seconds(
    command: str, packed: Path, tmp_path: Path, fuse: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHEADERSFS_TIMEOUT", str(HANGS))
    server = Server(packed.read_bytes(), waits_at_first=True)
    with liar(server.answer) as address:
        words = command_line(*words_of(command, address, tmp_path))
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                assert server.asked.wait(HANGS)
                assert not catches(process.pid, signal.SIGALRM)
            finally:
                server.seen.set()
            _, errors = process.communicate(timeout=HANGS)
        if command == MOUNTING:
            run_command("umount", tmp_path / "headers")
    assert (process.returncode, errors) == (0, b"")


def catches(pid: int, number: int) -> bool:
    """Tell whether the process *pid* has a handler for the signal *number*."""
    with open(f"/proc/{pid}/status") as status:
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> number - 1 & 1)
