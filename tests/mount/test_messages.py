"""Messages are one line each, whatever names are in them, and no tracebacks."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    HANGS,
    Outcome,
    command_line,
    one_line,
    run_command,
    run_words,
    wait_until,
)
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting

AWKWARD = b"a\x1b[31m\nb\xff\x07.tar.xz"
AS_SHOWN = r"a\x1b[31m\nb\xff\x07.tar.xz"
INTERRUPTED = 130


@pytest.fixture
def damaged(small_archive: Path, tmp_path: Path) -> Path:
    """A damaged archive with a name that would colour a terminal, and begin a line of its own."""
    content = small_archive.read_bytes()
    path = os.fsencode(tmp_path) + b"/" + AWKWARD
    with open(path, "wb") as archive:
        archive.write(altered(content, len(content) // 2))
    return tmp_path / os.fsdecode(AWKWARD)


@pytest.mark.parametrize("command", ["ls", "info", "verify", "cat"])
def test_what_reads_an_archive_escapes_its_name_in_an_error(damaged: Path, command: str) -> None:
    more = ["modes/644"] if command == "cat" else []
    outcome = run_command(command, damaged, *more)
    assert outcome.status == 13
    assert AS_SHOWN in one_line(outcome)


def test_run_escapes_names_in_what_it_says_of_the_server(damaged: Path, fuse: None) -> None:
    outcome = run_command(
        "run", "--archive", damaged, "--", "sh", "-c", 'ls "$KHEADERS" 2>/dev/null'
    )
    assert AS_SHOWN in one_line(outcome)


def test_run_each_escapes_names_in_its_table_and_its_errors(tmp_path: Path, fuse: None) -> None:
    absent = tmp_path / os.fsdecode(AWKWARD)
    outcome = run_command("run", "--each", "--archive", absent, "--", "true")
    assert outcome.errors == ""
    heading, error, *_, table, total, end = outcome.output.split("\n")
    assert heading == f"== {tmp_path}/{AS_SHOWN}"
    assert error.startswith(f"kheadersfs: {tmp_path}/{AS_SHOWN}: cannot open the archive")
    assert table.endswith(f"{tmp_path}/{AS_SHOWN}")
    assert (total, end) == ("0 succeeded, 1 failed", "")


def test_a_line_of_the_log_is_one_line(mount: Mounting, damaged: Path) -> None:
    mounted = mount(damaged)
    mounted.accept("ERROR: .*damaged")
    with pytest.raises(OSError):
        os.listdir(mounted.path)
    [message] = mounted.messages()
    assert AS_SHOWN in message


def has_open(process: int, path: Path) -> bool:
    """Tell whether *process* has the file *path* open."""
    descriptors = f"/proc/{process}/fd"
    for name in os.listdir(descriptors):
        with suppress(FileNotFoundError):  # it has been closed meanwhile
            if os.readlink(f"{descriptors}/{name}") == str(path.resolve()):
                return True
    return False


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
def test_a_command_that_is_interrupted_while_it_reads_says_nothing(
    reference_archive: Path, delay: float
) -> None:
    """Whatever it is at: importing, decompressing in another thread, or in the middle of C."""
    with subprocess.Popen(
        command_line("verify", reference_archive),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        wait_until(lambda: has_open(process.pid, reference_archive), "the archive is open")
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=delay)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=HANGS)
    assert errors == b""
    assert process.returncode in ((0, INTERRUPTED) if output else (INTERRUPTED,))


WITHOUT_MOUNTS = 'umount --lazy --all --types fuse.kheadersfs; exec "$@"'


def test_nothing_mounted_is_no_failure(root: None) -> None:
    """In a namespace from which mounts of others that run on this machine are taken away."""
    alone = ("unshare", "--mount", "--propagation=slave", "sh", "-c", WITHOUT_MOUNTS, "sh")
    outcome = run_words(*alone, *command_line("status"))
    assert (outcome.status, outcome.errors) == (0, "")
    assert outcome.output.startswith("no headers are mounted; ")
    assert run_words(*alone, *command_line("status", "--json")) == Outcome(0, "[]\n", "")
