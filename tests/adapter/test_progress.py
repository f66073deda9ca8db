"""What takes time says on a terminal how far it is, and in a pipe nothing."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import command_line, run_command

if TYPE_CHECKING:
    from pathlib import Path

ERASED = "\r\x1b[K"
COMMANDS = ("repack IN OUT", "verify IN")


@pytest.fixture(scope="module")
def packed(small_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = tmp_path_factory.mktemp("packed") / "packed.tar.zst"
    assert run_command("repack", small_archive, archive).status == 0
    return archive


def words_of(command: str, archive: Path, directory: Path) -> list[str]:
    places = {"IN": str(archive), "OUT": str(directory / "out.tar.zst")}
    return [places.get(word, word) for word in command.split()]


def errors_on_terminal(words: list[str]) -> str:
    """Return what a command writes to standard error when that is a terminal."""
    reader, terminal = pty.openpty()
    with os.fdopen(reader, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            command_line(*words), stdout=subprocess.DEVNULL, stderr=terminal, start_new_session=True
        )
        os.close(terminal)
        written = b""
        with suppress(OSError):  # EIO is how a terminal that nobody has open any more ends
            while piece := screen.read(4096):
                written += piece
        assert process.wait() == 0
    return written.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_shows_how_far_it_is_and_is_left_clean(
    command: str, packed: Path, tmp_path: Path
) -> None:
    lines = errors_on_terminal(words_of(command, packed, tmp_path)).split(ERASED)
    first, *shown, last = lines
    assert (first, last) == ("", "")
    assert shown
    assert all(line.startswith(f"{command.split()[0]}: ") and " % of " in line for line in shown)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_gets_nothing(command: str, packed: Path, tmp_path: Path) -> None:
    done = run_command(*words_of(command, packed, tmp_path))
    assert (done.status, done.errors) == (0, "")
