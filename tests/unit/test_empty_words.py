"""Words that are empty, as those of variables that are not set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from kheadersfs.cli import COMMANDS, load
from kheadersfs.errors import UsageError
from tests.support.mounting import one_line, run_command

if TYPE_CHECKING:
    from collections.abc import Iterator


def options_with_a_value() -> Iterator[tuple[str, str]]:
    """Yield each command, and each of its options that takes one word, and keeps the last."""
    for command in COMMANDS:
        for action in load(command).parser()._actions:
            takes_one = action.option_strings and action.nargs is None
            of_a_place = action.default == argparse.SUPPRESS  # what it says is the first word
            if takes_one and isinstance(action, argparse._StoreAction) and not of_a_place:
                yield command, action.option_strings[-1]


@pytest.mark.parametrize(("command", "option"), list(options_with_a_value()))
def test_an_option_is_not_left_out_by_giving_it_nothing(command: str, option: str) -> None:
    parser = load(command).parser()
    needed = [action.option_strings for action in parser._actions if action.required]
    others = [word for names in needed if option not in names for word in (*names[-1:], "word")]
    with pytest.raises(UsageError, match=option):
        parser.parse([option, "", *others])


@pytest.mark.parametrize(
    "words",
    [
        "mount --digest= ARCHIVE m",
        "mount --verify-key= ARCHIVE m",
        "mount --release= ARCHIVE m",
        "run --each --output= --archive ARCHIVE -- true",
        "fetch --output=",
    ],
)
def test_nothing_is_done_without_what_an_empty_option_was_to_say(words: str) -> None:
    outcome = run_command(*words.split())
    assert outcome.status == 2
    assert " is empty; give " in one_line(outcome)


@pytest.mark.parametrize("command", ["env", "cflags"])
def test_an_empty_directory_is_not_the_one_that_one_is_in(command: str) -> None:
    outcome = run_command(command, "")
    assert (outcome.status, one_line(outcome)) == (
        2,
        "kheadersfs: DIR is empty; name one with merged kernel headers, such as a mountpoint\n",
    )


def test_an_empty_release_is_not_the_running_kernels() -> None:
    outcome = run_command("fetch", "", "-o", "out.tar.zst")
    assert (outcome.status, one_line(outcome)) == (
        11,
        "kheadersfs: RELEASE: is no release; give what uname -r prints\n",
    )
