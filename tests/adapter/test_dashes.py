"""Names that begin with a dash, which only two dashes before them tell from options."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import Outcome, command_line, one_line, run_words_in

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVE = "-k.tar.xz"
READING = {
    "ls": ["ls", "-l", "--", ARCHIVE, "modes"],
    "cat": ["cat", "--", ARCHIVE, "modes/644"],
    "info": ["info", "--", ARCHIVE],
    "verify": ["verify", "--json", "--", ARCHIVE],
}


@pytest.fixture
def place(small_archive: Path, tmp_path: Path) -> Path:
    """A directory with an archive of that name."""
    shutil.copy(small_archive, tmp_path / ARCHIVE)
    return tmp_path


def run_in(place: Path, *words: str) -> Outcome:
    return run_words_in(place, *command_line(*words))


@pytest.mark.parametrize("words", READING.values(), ids=READING)
def test_behind_two_dashes_an_archive_is_read(words: list[str], place: Path) -> None:
    outcome = run_in(place, *words)
    assert (outcome.status, outcome.errors) == (0, "")
    plain = [word.replace(ARCHIVE, f"./{ARCHIVE}") for word in words if word != "--"]
    assert run_in(place, *plain).output.replace(f"./{ARCHIVE}", ARCHIVE) == outcome.output


def test_behind_two_dashes_an_archive_is_written(place: Path) -> None:
    assert run_in(place, "repack", "--", ARCHIVE, "-out.tar") == Outcome(0, "", "")
    assert (place / "-out.tar").stat().st_size > 0


def test_an_archive_can_be_named_with_its_option(place: Path) -> None:
    outcome = run_in(place, "cat", f"--archive={ARCHIVE}", "modes/644")
    assert outcome == Outcome(0, "mode\n", "")


@pytest.mark.parametrize("command", ["umount", "status", "env", "cflags", "mount"])
def test_what_is_complained_of_is_called_as_it_was(command: str, place: Path) -> None:
    archive = [ARCHIVE] if command == "mount" else []
    message = one_line(run_in(place, command, "--", *archive, "-m"))
    assert "-m" in message
    assert "option" not in message
    assert "\\x00" not in message


def test_one_word_too_many_is_called_as_it_was(place: Path) -> None:
    message = one_line(run_in(place, "info", "--", ARCHIVE, "-m"))
    assert message == ("kheadersfs: unrecognized arguments: -m; see kheadersfs info --help\n")
