"""What a server says: in one line, once, where its user looks."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from kheadersfs.fuse.log import MESSAGES_REMEMBERED, Log, open_log

if TYPE_CHECKING:
    from pathlib import Path


def fail(log: Log) -> None:
    """Log an exception, as a handler does."""
    try:
        raise ValueError("b\nad")
    except ValueError:
        log.exception("%s failed", "read")


class Recorded:
    """A log, and what it has said to its output and to the user who complains."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.complained: list[str] = []
        self.log = Log(
            lambda _priority, text: self.said.append(text),
            lambda _priority, text: self.complained.append(text),
        )


def test_a_message_is_said_once() -> None:
    recorded = Recorded()
    for number in (1, 2, 1):
        recorded.log.error("block %d is damaged", number)
    recorded.log.warning("block 1 is damaged")
    assert recorded.said == ["block 1 is damaged", "block 2 is damaged"]


def test_what_is_behind_the_messages_that_are_remembered_is_said_again() -> None:
    recorded = Recorded()
    for number in range(MESSAGES_REMEMBERED + 1):
        recorded.log.error("block %d is damaged", number)
    recorded.log.error("block %d is damaged", MESSAGES_REMEMBERED)
    recorded.log.error("block 0 is damaged")
    assert len(recorded.said) == MESSAGES_REMEMBERED + 2


def test_a_name_cannot_break_a_message_into_lines() -> None:
    recorded = Recorded()
    recorded.log.error("%s: refused", "a\nb\udcff")
    assert recorded.said == ["a\\nb\\xff: refused"]


def test_a_percent_sign_means_nothing_in_a_message_without_values() -> None:
    """pyfuse3 logs the text of a program that way."""
    recorded = Recorded()
    recorded.log.error("100 % sure: %s")
    assert recorded.said == ["100 % sure: %s"]


def test_only_errors_are_complained_of_and_without_a_traceback() -> None:
    recorded = Recorded()
    recorded.log.debug("of no use")
    recorded.log.warning("slow")
    fail(recorded.log)
    assert recorded.complained == ["read failed"]
    assert [text.partition("\n")[0] for text in recorded.said] == ["slow", "read failed"]


def test_an_exception_has_its_traceback_in_lines_of_its_own() -> None:
    recorded = Recorded()
    fail(recorded.log)
    [text] = recorded.said
    head, *lines = text.split("\n")
    assert head == "read failed"
    assert lines[0] == "Traceback (most recent call last):"
    assert any("in fail" in line for line in lines)
    assert lines[-2:] == ["ValueError: b", "ad"]


def test_a_reply_that_nobody_waits_for_any_more_is_not_worth_a_message() -> None:
    recorded = Recorded()
    recorded.log.error("fuse_read(): fuse_reply_* failed with %s", "No such file or directory")
    recorded.log.error("fuse_read(): fuse_reply_* failed with %s", "Invalid argument")
    assert recorded.said == ["fuse_read(): fuse_reply_* failed with Invalid argument"]


def test_a_file_has_the_time_and_the_process_before_each_message(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    log = open_log(descriptor)
    log.warning("slow")
    log.error("%s", "wrong")
    os.close(descriptor)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", line) for line in lines] == [
        f"kheadersfs[{os.getpid()}] WARNING: slow",
        f"kheadersfs[{os.getpid()}] ERROR: wrong",
    ]


def test_complaints_are_written_as_those_of_commands_are(tmp_path: Path) -> None:
    log, complaints = (
        os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in ("log", "complaints")
    )
    open_log(log, complaints).error("wrong")
    for descriptor in (log, complaints):
        os.close(descriptor)
    assert (tmp_path / "complaints").read_text() == "kheadersfs: wrong\n"


def test_what_a_full_disk_refuses_is_lost_and_nothing_else_happens() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        open_log(descriptor).error("wrong")
    finally:
        os.close(descriptor)


def test_a_message_goes_to_standard_error_as_a_command_would_say_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    open_log(2).error("wrong: %s", "\udcff")
    assert capfd.readouterr().err == "kheadersfs: wrong: \\xff\n"
