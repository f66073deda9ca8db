"""``kheadersfs run``: a mount for one command, which vanishes with it however it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import Outcome, command_line, one_line, run_command, wait_until
from tests.support.processes import processes_named
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 12


@pytest.fixture
def archive(small_archive: Path, tmp_path: Path, fuse: None) -> Iterator[Path]:
    """An archive of this test's own, so that what serves it can be told from all other servers.

    At the end no process may name it, and no mount anywhere show it.
    """
    copy = tmp_path / "archive.tar.xz"
    shutil.copyfile(small_archive, copy)
    yield copy
    wait_until(lambda: processes_named(os.fsencode(copy)) == [], "every process ended")
    assert str(copy) not in Path("/proc/self/mountinfo").read_text()


def run(archive: Path, *command: str | Path, **environment: str) -> Outcome:
    return run_command("run", "--archive", archive, "--", *command, **environment)


def test_the_command_sees_the_headers_where_the_environment_says(archive: Path) -> None:
    script = 'cat "$KHEADERS/modes/644" && cat "$BCC_KERNEL_SOURCE/modes/444"'
    assert run(archive, "sh", "-c", script) == Outcome(0, "mode\nmode\n", "")


def test_what_is_wrong_with_the_archive_is_said_beside_what_the_command_says(
    archive: Path,
) -> None:
    content = archive.read_bytes()
    archive.write_bytes(altered(content, len(content) // 2))
    outcome = run(archive, "sh", "-c", 'cat "$KHEADERS/modes/644" 2>&1')
    assert outcome.status == 1
    assert "Input/output error" in outcome.output
    # xz makes one block of it or several, by its version.
    found = re.search(r": block \d+ of \d+ is damaged", one_line(outcome._replace(output="")))
    assert found
    assert f"{archive}{found[0]}" in outcome.errors


def test_bcc_and_bpftrace_are_told_too(archive: Path) -> None:
    names = ("KHEADERS", "BCC_KERNEL_SOURCE", "BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD")
    outcome = run(archive, "printenv", *names)
    assert outcome.status == 0
    assert len(set(outcome.output.split())) == 1


@pytest.mark.parametrize("status", [0, 1, 3, 15, 77, 255])
def test_its_exit_status_is_the_commands_own(archive: Path, status: int) -> None:
    assert run(archive, "sh", "-c", f"exit {status}") == Outcome(status, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_command_that_a_signal_ends_is_reported_as_a_shell_does(
    archive: Path, number: signal.Signals
) -> None:
    script = f"ulimit -c 0; kill -{number.value} $$"
    assert run(archive, "sh", "-c", script) == Outcome(128 + number, "", "")


def test_a_command_that_cannot_be_started_is_reported_as_a_shell_does(
    archive: Path, tmp_path: Path
) -> None:
    absent = run(archive, "absent-command")
    assert (absent.status, "absent-command" in absent.errors) == (127, True)
    (tmp_path / "text").write_text("no program")
    text = run(archive, tmp_path / "text")
    assert (text.status, "text" in text.errors) == (126, True)
    assert absent.errors.count("\n") == text.errors.count("\n") == 1


def test_a_directory_of_its_name_is_no_command(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "absent-command").mkdir()
    search = f"{tmp_path}:{os.environ['PATH']}"
    words = command_line("run", "--archive", archive, "absent-command")
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, env={**os.environ, "PATH": search}
    )
    assert done.returncode == 127
    assert "absent-command: cannot be run: No such file or directory" in done.stderr


def test_options_behind_the_command_are_the_commands(archive: Path) -> None:
    outcome = run_command("run", "--archive", archive, "echo", "--archive", "-n", "--")
    assert outcome == Outcome(0, "--archive -n --\n", "")


def test_input_and_output_are_the_callers(archive: Path) -> None:
    done = subprocess.run(
        command_line("run", "--archive", archive, "--", "sh", "-c", "cat; echo error >&2"),
        input=b"through\n",
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"through\n", b"error\n")


def test_the_mount_is_not_seen_outside(root: None, archive: Path) -> None:
    with subprocess.Popen(
        command_line("run", "--archive", archive, "sh", "-c", 'ls "$KHEADERS"; echo; read line'),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        listed = list(iter(process.stdout.readline, b"\n"))
        assert b"modes\n" in listed
        assert str(archive) not in Path("/proc/self/mountinfo").read_text()
        process.stdin.write(b"end\n")
    assert process.returncode == 0


def heed_hangups() -> None:
    """Undo what nohup does to those who run these tests in the background."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start_waiting(archive: Path) -> subprocess.Popen[bytes]:
    """Start a command that reads a header, says so, and then waits."""
    script = 'cat "$KHEADERS/modes/644"; exec sleep 600'
    process = subprocess.Popen(
        command_line("run", "--archive", archive, "sh", "-c", script),
        stdout=subprocess.PIPE,
        preexec_fn=heed_hangups,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"mode\n"
    return process


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_whatever_ends_the_wrapper_ends_the_command_and_the_server(
    archive: Path, number: signal.Signals
) -> None:
    with start_waiting(archive) as process:
        assert process.stdout is not None
        process.send_signal(number)
        # The command held the other end of this pipe.
        assert process.stdout.read() == b""
        status = process.wait(20)
    assert status == (-number if number == signal.SIGKILL else 128 + number)


def test_what_the_command_leaves_running_can_still_read(archive: Path, tmp_path: Path) -> None:
    result, go = tmp_path / "result", tmp_path / "go"
    os.mkfifo(go)
    script = f'(read line <"{go}"; cat "$KHEADERS/sizes/513" >"{result}") >/dev/null 2>&1 &'
    assert run(archive, "sh", "-c", script).status == 0
    go.write_text("go\n")
    wait_until(lambda: result.exists() and result.stat().st_size == 513, "it read the header")


def test_many_at_once_do_not_disturb_each_other(archive: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = set(
            pool.map(
                lambda _: run(archive, "sh", "-c", 'cat "$KHEADERS/modes/644"'), range(AT_ONCE)
            )
        )
    assert outcomes == {Outcome(0, "mode\n", "")}


def test_record_lists_the_opened_headers_in_order_of_first_use(
    archive: Path, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    script = 'cd "$KHEADERS" && cat sizes/513 modes/644 links/directory/linux/kconfig.h sizes/513'
    outcome = run_command(
        *("run", "--archive", archive, "--record", record, "sh", "-c", f"{script} >/dev/null")
    )
    assert outcome == Outcome(0, "", "")
    assert record.read_text().splitlines() == ["sizes/513", "modes/644", "include/linux/kconfig.h"]


def test_each_runs_the_command_for_every_archive_and_counts_failures(
    archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.tar.gz"
    (tmp_path / "only-here").touch()
    subprocess.run(["tar", "-czf", other, "-C", tmp_path, "only-here"], check=True)
    outcome = run_command(
        *("run", "--each", "--archive", archive, "--archive", other),
        *("sh", "-c", 'test -e "$KHEADERS/only-here"'),
    )
    assert outcome.status == 1
    assert "1 succeeded, 1 failed" in outcome.output
    table = outcome.output[outcome.output.index("status ") :].splitlines()[1:3]
    rows = [(line.split()[0], line.split()[-1]) for line in table]
    assert rows == [("1", str(archive)), ("0", str(other))]


def test_an_archive_that_cannot_be_opened_keeps_the_command_from_running(
    tmp_path: Path, fuse: None
) -> None:
    outcome = run(tmp_path / "absent", "touch", tmp_path / "ran")
    assert outcome.status == 11
    assert outcome.errors.count("\n") == 1
    assert not (tmp_path / "ran").exists()
