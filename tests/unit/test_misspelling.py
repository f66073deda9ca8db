"""Words that nothing is called, and where --help says what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kheadersfs.cli import COMMANDS, load
from kheadersfs.cli.help import LIMITS, STATUSES
from kheadersfs.cli.options import parse_limits, parse_mount_options
from kheadersfs.errors import UsageError
from kheadersfs.limits import DEFAULT_LIMITS
from tests.support.mounting import one_line, run_command

if TYPE_CHECKING:
    from pathlib import Path

SUGGESTED = [
    ("--verison", "--verison: no such option; did you mean --version?"),
    ("--hlep", "--hlep: no such option; did you mean --help?"),
    ("mout", "mout: no such command; did you mean mount?"),
    ("unmount", "unmount: no such command; did you mean umount?"),
    ("list", "list: no such command; did you mean ls?"),
    ("version", "version: no such command; did you mean --version?"),
    ("verfy", "verfy: no such command; did you mean verify?"),
    ("help mout", "mout: no such command; did you mean mount?"),
    ("help limit", "limit: no such command; did you mean limits?"),
    ("mount --foregroud", "--foregroud: no such option; did you mean --foreground?"),
    ("mount --idle-timout=5 A m", "--idle-timout: no such option; did you mean --idle-timeout?"),
    ("umount --lasy m", "--lasy: no such option; did you mean --lazy?"),
    ("status --jsno", "--jsno: no such option; did you mean --json?"),
    ("run --ech -- make", "--ech: no such option; did you mean --each?"),
    # What is missing stands behind what is misspelled.
    ("pack --outptu x.tar.xz", "--outptu: no such option; did you mean --output?"),
    ("verify --limt members=1", "--limt: no such option; did you mean --limit?"),
    ("mount -o alow_other A m", "-o alow_other: no such option; did you mean allow_other?"),
    ("mount --limit member=5 A m", "--limit member=5: no such limit; did you mean members?"),
]


@pytest.mark.parametrize(("words", "message"), SUGGESTED)
def test_what_is_misspelled_is_named_with_what_may_have_been_meant(
    words: str, message: str
) -> None:
    outcome = run_command(*words.split())
    assert (outcome.status, one_line(outcome)) == (2, f"kheadersfs: {message}\n")


MISPLACED = [
    ("--json status", "--json: options go after the command, as in kheadersfs status --json;"),
    ("-o allow_other mount A m", "-o: options go after the command, as in kheadersfs mount -o;"),
    ("--frobnicate", "--frobnicate: options go after the command, as in kheadersfs COMMAND "),
]


@pytest.mark.parametrize(("words", "message"), MISPLACED)
def test_an_option_before_the_command_is_no_command(words: str, message: str) -> None:
    outcome = run_command(*words.split())
    assert outcome.status == 2
    assert one_line(outcome).startswith(f"kheadersfs: {message}")


@pytest.mark.parametrize("words", ["frobnicate", "help frobnicate", "mount --frobnicate"])
def test_what_is_like_nothing_is_told_where_to_look(words: str) -> None:
    outcome = run_command(*words.split())
    assert outcome.status == 2
    assert "did you mean" not in one_line(outcome)
    assert "--help" in outcome.errors


@pytest.mark.parametrize("further", [(), ("m",), ("m", "-o", "ro,allow_other")])
def test_an_archive_in_a_commands_place_is_to_be_mounted(
    further: tuple[str, ...], small_archive: Path
) -> None:
    """As sshfs and squashfuse are called, and as mount.fuse of libfuse calls every program."""
    outcome = run_command(small_archive, *further)
    assert (outcome.status, one_line(outcome)) == (
        2,
        f"kheadersfs: {small_archive}: no such command; to mount it: kheadersfs mount "
        f"{small_archive} MOUNTPOINT; mount -t fuse.kheadersfs needs a link to "
        "mount.fuse.kheadersfs in /sbin\n",
    )


def test_a_value_that_looks_like_an_option_is_left_to_the_command() -> None:
    outcome = run_command("mount", "--idle-timeout", "-1", "A", "m")
    assert (outcome.status, "--idle-timeout" in one_line(outcome)) == (2, True)


@pytest.mark.parametrize("command", ["mount", "ls", "verify", "repack", "run"])
def test_a_limit_without_a_number_is_told_its_form(command: str) -> None:
    outcome = run_command(command, "--limit", "members", "A", "m")
    assert outcome.status == 2
    assert "--limit members: give NAME=NUMBER, as in members=200000" in one_line(outcome)


def test_the_form_of_a_limit_comes_before_its_name() -> None:
    with pytest.raises(UsageError, match=r"--limit A: give NAME=NUMBER"):
        parse_limits(["A"])
    with pytest.raises(UsageError, match=r"--limit members=many: give a whole number"):
        parse_limits(["members=many"])
    with pytest.raises(UsageError, match=r"-o uid: give a number, as in uid=1000"):
        parse_mount_options(["uid"])


def test_help_on_a_command_is_that_of_the_command() -> None:
    for name in COMMANDS:
        assert run_command("help", name, COLUMNS="80") == run_command(name, "--help", COLUMNS="80")


def test_help_on_limits_has_every_limit() -> None:
    text = " ".join(run_command("help", LIMITS).output.split())
    for name, value in DEFAULT_LIMITS._asdict().items():
        assert f" {name} " in text
        assert f"; {value} " in text


def test_general_help_has_every_command_and_status() -> None:
    outcome = run_command("--help")
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome == run_command("help") == run_command("-h")
    text = " ".join(outcome.output.split())
    for name, command in COMMANDS.items():
        assert f" {name} {command.summary} " in text
    for status, meaning in STATUSES.items():
        assert f" {status} {meaning} " in text


def test_no_help_is_wider_than_the_terminal() -> None:
    for columns in (20, 40, 80, 132):
        for topic in ((), (LIMITS,)):
            lines = run_command("help", *topic, COLUMNS=str(columns)).output.splitlines()
            assert max(map(len, lines)) <= columns


def test_wider_terminals_are_filled() -> None:
    wide, narrow = (run_command("--help", COLUMNS=str(columns)).output for columns in (132, 40))
    assert len(wide.splitlines()) < len(narrow.splitlines())
    assert wide.split() == narrow.split()


def test_every_command_says_in_a_sentence_what_it_does() -> None:
    for name in COMMANDS:
        description = load(name).parser().description
        assert description is not None
        assert description.endswith(".")
