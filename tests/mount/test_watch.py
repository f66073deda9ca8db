"""``kheadersfs status --watch`` shows what a mount does, and ends with it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from kheadersfs.mount import servers
from tests.support.mounting import command_line, one_line, run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Mounting
    from tests.support.mounting import Mount

pytest.importorskip("rich", reason="not installed: rich")


class Screen:
    """A terminal on which something is watched."""

    def __init__(self, *words: str | Path) -> None:
        reader, terminal = pty.openpty()
        self._screen = os.fdopen(reader, "rb", buffering=0)
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "50"}
        self.process = subprocess.Popen(
            command_line("status", "--watch", *words),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
        )
        os.close(terminal)
        self._seen = b""

    def wait_for(self, text: str) -> None:
        """Read until *text* has been shown."""
        while text.encode() not in self._seen:
            piece = self._screen.read(4096)
            assert piece
            self._seen += piece

    def end(self) -> int:
        """Read the rest. Returns the status with which it ended."""
        with suppress(OSError):  # EIO is how a terminal that nobody has open any more ends
            while self._screen.read(4096):
                pass
        self._screen.close()
        return self.process.wait()


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    """What was started; it is ended also when a test fails."""
    started: list[Screen] = []
    yield started
    for screen in started:
        if screen.process.poll() is None:
            screen.process.kill()
            screen.end()


def test_what_was_opened_is_shown_until_it_is_unmounted(
    small_archive: Path, prepared_mount: Callable[[Path], Mount], screens: list[Screen]
) -> None:
    mounted = prepared_mount(small_archive)
    mounted.mount()
    screen = Screen(mounted.path)
    screens.append(screen)
    screen.wait_for("requests")
    assert (mounted.path / "modes/644").read_text() == "mode\n"
    screen.wait_for("modes/644")
    mounted.unmount()
    assert screen.end() == 0


def test_an_interrupt_ends_it_as_who_has_seen_enough(
    small_archive: Path, mount: Mounting, screens: list[Screen]
) -> None:
    screen = Screen(mount(small_archive).path)
    screens.append(screen)
    screen.wait_for("requests")
    screen.process.send_signal(signal.SIGINT)
    assert screen.end() == 0


def test_programs_are_told_what_is_for_them(small_archive: Path, mount: Mounting) -> None:
    outcome = run_command("status", "--watch", mount(small_archive).path)
    assert outcome.status == 2
    assert "--json" in one_line(outcome)


def test_the_latest_files_come_first_and_are_not_many(small_archive: Path, mount: Mounting) -> None:
    mounted = mount(small_archive)
    files = sorted(path for path in (mounted.path / "modes").iterdir() if path.is_file())
    for path in files:
        path.read_bytes()
    told = servers.read_status(str(mounted.path))["last_opened"]
    expected = [str(path.relative_to(mounted.path)) for path in reversed(files)]
    assert told == expected[:8]
