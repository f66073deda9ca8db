"""What a guardian is told to ask for fits into its pipe, and cannot mean anything to a shell."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from kheadersfs.mount.guardian import LONGEST_PATH, MOST_MESSAGES, Guardian

if TYPE_CHECKING:
    from collections.abc import Iterator


class Told:
    """A guardian's end of the pipe, in place of a guardian."""

    def __init__(self, guardian: Guardian) -> None:
        self._reading, self._writing = os.pipe()
        self.guardian = guardian
        # The guardian itself sees the end of its pipe, and ends.
        os.dup2(self._writing, guardian._pipe)

    def messages(self) -> list[bytes]:
        os.close(self._writing)
        os.close(self.guardian._pipe)
        with open(self._reading, "rb") as pipe:
            return pipe.read().splitlines(keepends=True)


@pytest.fixture
def told() -> Iterator[Told]:
    guardian = Guardian("/nonexistent", b"/nonexistent", b"0:0", 0)
    yield Told(guardian)
    os.waitpid(guardian.pid, 0)


def test_all_paths_are_told_in_their_order(told: Told) -> None:
    paths = [b"include/linux/", b"include/asm-generic/", b"include/linux/if_ether.h"]
    told.guardian.ask_for(paths)
    assert told.messages() == [b"ask " + b" ".join(paths) + b"\n"]


@pytest.mark.parametrize("path", [b"a b", b"$(id)", b"a;b", b"*", b"~", b"a\nunmount", b"\xff"])
def test_a_path_that_means_something_to_a_shell_is_left_out(told: Told, path: bytes) -> None:
    told.guardian.ask_for([path, b"include/linux/a.h"])
    assert told.messages() == [b"ask include/linux/a.h\n"]


def test_no_message_is_longer_than_a_pipe_takes_at_once(told: Told) -> None:
    paths = [b"include/linux/" + b"x" * (7 * number % 300) for number in range(60)]
    told.guardian.ask_for(paths)
    messages = told.messages()
    assert len(messages) > 1
    assert max(map(len, messages)) <= select.PIPE_BUF
    assert [word for line in messages for word in line.split()[1:]] == paths


def test_so_little_is_told_that_the_pipe_takes_a_command_after_it(told: Told) -> None:
    told.guardian.ask_for(b"x" * LONGEST_PATH for _ in range(1000))
    told.guardian.detach()
    messages = told.messages()
    assert len(messages) == MOST_MESSAGES + 1
    assert messages[-1] == b"detach\n"


def test_a_path_that_is_too_long_is_left_out(told: Told) -> None:
    told.guardian.ask_for([b"x" * (LONGEST_PATH + 1), b"y" * LONGEST_PATH])
    assert told.messages() == [b"ask " + b"y" * LONGEST_PATH + b"\n"]
