"""Commands whose standard streams are closed, or cannot be written to."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import Outcome, command_line, run_command, run_words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Prepare


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"]
NOWHERE = "kheadersfs: standard output cannot be written to: Bad file descriptor; write elsewhere\n"


def run_redirected(redirections: str, *arguments: str | Path) -> Outcome:
    """Run a command with *redirections* in the words of a shell."""
    return run_words("sh", "-c", f'exec "$@" {redirections}', "sh", *command_line(*arguments))


@pytest.mark.parametrize("closed", CLOSED)
def test_a_mount_is_served_whatever_was_closed(
    prepared_mount: Prepare, small_archive: Path, closed: str
) -> None:
    mounted = prepared_mount(small_archive)
    arguments = ("mount", "--log", mounted.log, small_archive, mounted.path)
    assert run_redirected(closed, *arguments) == Outcome(0, "", "")
    mounted.pid = mounted.status()["pid"]
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    mounted.unmount()
    mounted.check_nothing_left()


@pytest.mark.parametrize("closed", CLOSED)
def test_run_gives_its_command_the_headers_whatever_was_closed(
    small_archive: Path, tmp_path: Path, fuse: None, closed: str
) -> None:
    script = f"cat $KHEADERS/modes/644 >{tmp_path}/read; exit 7"
    outcome = run_redirected(closed, "run", "--archive", small_archive, "--", "sh", "-c", script)
    assert outcome == Outcome(7, "", "")
    assert (tmp_path / "read").read_bytes() == b"mode\n"


@pytest.mark.parametrize("command", ["ls", "info", "verify"])
def test_output_that_goes_nowhere_is_an_error(small_archive: Path, command: str) -> None:
    assert run_redirected(">&-", command, small_archive) == Outcome(1, "", NOWHERE)


@pytest.mark.parametrize(
    "words", ["--help", "help mount", "ls --help", "--version", "reference man"]
)
def test_help_that_goes_nowhere_is_an_error_too(words: str) -> None:
    assert run_redirected(">&-", *words.split()) == Outcome(1, "", NOWHERE)


def test_an_error_that_nobody_wants_to_read_is_told_by_the_status(tmp_path: Path) -> None:
    assert run_redirected("2>&-", "ls", tmp_path / "absent") == Outcome(11, "", "")


def test_one_mount_that_cannot_be_asked_hides_no_other(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    good, dead = prepared_mount(small_archive), prepared_mount(small_archive)
    good.mount()
    dead.mount()
    for pid in (dead.status()["guardian"], dead.pid):
        subprocess.run(["kill", "-KILL", str(pid)], check=True)
    told = run_command("status")
    assert told.status == 0
    assert str(good.path) in told.output
    assert f"{dead.path}\n  unknown    {dead.path}: its server was killed" in told.output
    assert run_command("umount", dead.path) == Outcome(0, "", "")
    good.unmount()
