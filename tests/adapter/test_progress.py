"""What takes time says on a terminal how far it is, and in a pipe nothing."""

from __future__ import annotations

import gzip
import lzma
import re
import subprocess
import tarfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import run_command
from tests.support.terminal import ERASED, seen_on_screen, written_to_terminal

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("repack IN OUT", "verify IN")
READERS = (
    "ls -l WHOLE",
    "cat WHOLE include/first.h include/last.h",
    "info WHOLE",
    "info --json WHOLE",
    "verify WHOLE",
    "repack WHOLE -o OUT",
    "merge one=WHOLE -o OUT",
)


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
    return written_to_terminal(words, lambda _terminal: subprocess.DEVNULL)


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that has to be decoded to be known, with a file that ends without a newline."""
    archive = tmp_path_factory.mktemp("whole") / "whole.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        for name in ("include/first.h", "include/last.h"):
            member = tarfile.TarInfo(name)
            content = b"#define ONE 1\n#define TWO 2"
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    return archive


@pytest.mark.parametrize("command", READERS)
def test_reading_shows_how_far_it_is_and_leaves_what_was_asked_for(
    command: str, whole: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "out.tar.zst")
    words = [word.replace("WHOLE", str(whole)).replace("OUT", out) for word in command.split()]
    written = written_to_terminal(words)
    assert re.match(rf"{re.escape(ERASED)}{words[0]}: read \d+ % of \d+\.\d MiB", written)
    piped = run_command(*words)
    assert (piped.status, piped.errors) == (0, "")
    assert seen_on_screen(written) == piped.output


@pytest.mark.parametrize(
    "command", ["cat WHOLE include/last.h include/no.h", "ls CUT", "info CUT", "cat CUT no.h"]
)
def test_what_went_wrong_stands_alone_on_its_line(
    command: str, whole: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(gzip.compress(lzma.decompress(whole.read_bytes()))[:-12])
    places = {"WHOLE": str(whole), "CUT": str(cut)}
    words = [places.get(word, word) for word in command.split()]
    piped = run_command(*words)
    assert piped.status != 0
    assert seen_on_screen(written_to_terminal(words)) == piped.output + piped.errors
