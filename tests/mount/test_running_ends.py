"""What ``kheadersfs run`` leaves to its command, and what it ends with."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    HANGS,
    Outcome,
    command_line,
    is_running,
    one_line,
    run_command,
    run_words,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("fuse")

KERNELS = 2
IGNORING = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""
# Says who it is, and ends in its own time when it is interrupted.
PATIENT = """
trap 'echo cleaned up; exit 3' INT
echo $$ >>"$1"
sleep 60 & wait
"""


def run(archive: Path, *command: str) -> Outcome:
    return run_command("run", "--archive", archive, "--", *command)


def test_the_command_ignores_no_signal_that_its_caller_does_not(small_archive: Path) -> None:
    look = ("grep", "SigIgn", "/proc/self/status")
    assert run(small_archive, *look) == run_words(*look)


@pytest.mark.parametrize(
    ("words", "status"),
    [("run --archive ARCHIVE sh -c 'exit 7'", 7), ("ls ARCHIVE modes", 0)],
    ids=["run", "ls"],
)
def test_a_caller_that_wants_to_know_of_no_ended_child_is_told_the_status_all_the_same(
    small_archive: Path, words: str, status: int
) -> None:
    """The kernel forgets the children of a process that ignores SIGCHLD as soon as they end."""
    command = command_line(*shlex.split(words.replace("ARCHIVE", shlex.quote(str(small_archive)))))
    outcome = run_words(sys.executable, "-c", IGNORING, *command)
    assert (outcome.status, outcome.errors) == (status, "")


def test_an_empty_command_is_none(small_archive: Path) -> None:
    outcome = run(small_archive, "")
    assert outcome.status == 2
    assert "COMMAND is missing" in one_line(outcome)


def test_a_record_that_cannot_be_written_is_reported(small_archive: Path) -> None:
    command = ("run", "--archive", small_archive, "--record", "/dev/full", "--", "sh", "-c")
    outcome = run_command(*command, "cat $KHEADERS/modes/644 >/dev/null; exit 7")
    assert outcome.status == 7
    assert "the record cannot be written: " in one_line(outcome)


def test_a_record_that_cannot_be_written_is_no_success(small_archive: Path) -> None:
    command = ("run", "--archive", small_archive, "--record", "/dev/full", "--", "sh", "-c")
    outcome = run_command(*command, "cat $KHEADERS/modes/644 >/dev/null")
    assert outcome.status == 1
    assert "the record cannot be written: No space left on device" in one_line(outcome)


def test_a_record_in_no_directory_says_which_is_missing(
    small_archive: Path, tmp_path: Path
) -> None:
    record = tmp_path / "absent/record"
    for option in ("--record", "--log"):
        outcome = run_command("run", "--archive", small_archive, option, record, "--", "true")
        assert (outcome.status, f"{tmp_path}/absent: no such" in one_line(outcome)) == (1, True)


def test_an_archive_without_its_option_is_taken_for_one(
    small_archive: Path, tmp_path: Path
) -> None:
    """Whether it stands alone, behind another one, or where there is no archive at all."""
    for words, status in (
        ((small_archive, "--", "true"), 2),
        ((tmp_path / "absent.tar.xz", "--", "true"), 2),
        (("--archive", small_archive, small_archive, "--", "true"), 2),
        (("--each", "--archive", small_archive, small_archive, "--", "true"), 2),
        (("--archive", small_archive, small_archive, "true"), 126),
    ):
        outcome = run_command("run", *words)
        place = next(word for word in reversed(words) if isinstance(word, Path))
        assert f"is it an archive? --archive {place}" in one_line(outcome)
        assert outcome.status == status


def test_a_command_may_have_two_dashes_among_its_arguments(small_archive: Path) -> None:
    assert run(small_archive, "echo", "--", "-x") == Outcome(0, "-- -x\n", "")
    assert run(small_archive, "sh", "-c", "exit 3", "--", "x").status == 3


def test_a_server_that_is_killed_is_reported(small_archive: Path) -> None:
    """It runs outside of the command's namespace, where only its number is known."""
    status = " ".join(map(str, command_line("status", "--json")))
    script = f"kill -KILL $({status} $KHEADERS | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p')"
    outcome = run_command("run", "--archive", small_archive, "--", "sh", "-c", script)
    assert outcome.status == 0
    assert "the server of the headers failed (status -9)" in one_line(outcome)


def test_an_earlier_record_outlives_an_archive_that_cannot_be_opened(tmp_path: Path) -> None:
    record = tmp_path / "record"
    record.write_text("include/linux/sched.h\n")
    command = ("run", "--archive", tmp_path / "absent", "--record", record, "--", "true")
    assert run_command(*command).status == 11
    assert record.read_text() == "include/linux/sched.h\n"


def test_a_record_has_nothing_of_an_earlier_longer_one(small_archive: Path, tmp_path: Path) -> None:
    record = tmp_path / "record"
    record.write_text("include/linux/sched.h\n" * 10)
    command = ("run", "--archive", small_archive, "--record", record, "--")
    assert run_command(*command, "true") == Outcome(0, "", "")
    assert record.read_text() == ""
    assert run_command(*command, "sh", "-c", "cat $KHEADERS/modes/644").output == "mode\n"
    assert record.read_text() == "modes/644\n"


def test_a_record_can_go_into_a_pipe(small_archive: Path) -> None:
    command = ("run", "--archive", small_archive, "--record", "/dev/stderr", "--", "sh", "-c")
    outcome = run_command(*command, "cat $KHEADERS/modes/644")
    assert outcome == Outcome(0, "mode\n", "modes/644\n")


WITHOUT_TEMPORARY_DIRECTORY = """
import tempfile
tempfile._candidate_tempdir_list = list
from kheadersfs.cli import script
script()
"""


def test_runs_whose_output_can_be_kept_nowhere_say_so(small_archive: Path) -> None:
    words = ("run", "--each", "--archive", str(small_archive), "--", "true")
    outcome = run_words(sys.executable, "-c", WITHOUT_TEMPORARY_DIRECTORY, *words)
    assert (outcome.status, outcome.output) == (1, "")
    assert "no file can be made for what a command prints: " in one_line(outcome)
    assert "set TMPDIR" in outcome.errors


def test_runs_whose_output_nobody_reads_are_no_success(small_archive: Path) -> None:
    options = ("--each", "--jobs", "1", "--archive", small_archive, "--archive", small_archive)
    with subprocess.Popen(
        command_line("run", *options, "--", "true"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read().decode()
    assert process.returncode == 1
    assert errors == (
        "kheadersfs: nobody reads standard output any more; commands that had not ended are ended\n"
    )


class Many:
    """A run for each of several kernels, in a process group of its own."""

    def __init__(self, archive: Path, directory: Path) -> None:
        self._pids = directory / "pids"
        archives = [word for _ in range(KERNELS) for word in ("--archive", archive)]
        options = ("--each", "--jobs", str(KERNELS), *archives)
        self.process = subprocess.Popen(
            command_line("run", *options, "--", "sh", "-c", PATIENT, "sh", self._pids),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def commands(self) -> list[int]:
        """Return the processes of the commands that have begun."""
        return [int(pid) for pid in self._pids.read_text().split()] if self._pids.exists() else []


@pytest.fixture
def many(small_archive: Path, tmp_path: Path) -> Iterator[Many]:
    """Such runs, whose commands have all begun, and of which nothing is left at the end."""
    many = Many(small_archive, tmp_path)
    with many.process as process:
        try:
            wait_until(lambda: len(many.commands()) == KERNELS, "all commands began")
            yield many
            wait_until(lambda: not any(map(is_running, many.commands())), "all commands ended")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_commands_of_many_kernels_end_with_their_caller(
    many: Many, number: signal.Signals
) -> None:
    os.kill(many.process.pid, number)
    assert many.process.wait(20) == -number


def test_an_interrupted_run_for_many_kernels_waits_for_its_commands(many: Many) -> None:
    os.killpg(many.process.pid, signal.SIGINT)
    output, _ = many.process.communicate(timeout=HANGS)
    assert many.process.returncode == 130
    assert output.count(b"cleaned up\n") == KERNELS


# The server finds a process, the command does not; then what is left is counted.
ROOM_FOR_ONE = """
import os, sys
from kheadersfs.archive.opening import open_archive
from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.options import ServeOptions
from kheadersfs.run.child import Run
from kheadersfs.run.namespace import run_command

fork, forks = os.fork, []

def limited():
    if forks:
        raise BlockingIOError(11, os.strerror(11))
    forks.append(None)
    return fork()

os.fork = limited
archive = open_archive(sys.argv[1])
before = os.listdir("/proc/self/fd")
try:
    run_command(archive, Run(["true"], lambda _: {}), ServeOptions())
except KheadersfsError as error:
    print(error)
print(os.listdir("/proc/self/fd") == before)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child is left")
"""


def test_where_there_is_no_process_for_the_command_the_server_ends_and_nothing_leaks(
    small_archive: Path,
) -> None:
    outcome = run_words(sys.executable, "-c", ROOM_FOR_ONE, str(small_archive))
    assert outcome.errors == ""
    message, *left = outcome.output.splitlines()
    assert message.startswith("no process can be started: Resource temporarily unavailable")
    assert left == ["True", "no child is left"]
