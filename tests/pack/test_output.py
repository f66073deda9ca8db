"""OUT is replaced by a complete archive, or stays as it was and nothing is left beside it."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import KheadersfsError, UsageError
from kheadersfs.pack.output import complete_file
from tests.support.mounting import (
    HANGS,
    Outcome,
    command_line,
    one_line,
    run_command,
    run_words,
    wait_until,
)
from tests.support.packing import BEFORE

if TYPE_CHECKING:
    from tests.pack.conftest import SmallTree, Stranger


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An archive that is there already, alone in its directory."""
    directory = tmp_path / "output"
    directory.mkdir()
    path = directory / "kheaders.tar.xz"
    path.write_bytes(BEFORE)
    return path


def is_untouched(output: Path) -> bool:
    return os.listdir(output.parent) == [output.name] and output.read_bytes() == BEFORE


@pytest.mark.parametrize(
    "suffix", [".tar.bz2", ".tbz", ".tlz", ".zip", ".7z", ".foo", ".tar.foo", ".XZ"]
)
def test_a_name_that_promises_what_is_not_written_is_refused(
    small_archive: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"kheaders{suffix}"
    outcome = run_command("repack", small_archive, output)
    assert outcome.status == UsageError.exit_status
    assert "cannot be written; end the name in .tar.xz" in outcome.errors
    assert not output.exists()
    assert run_command("repack", "--compress", "xz", small_archive, output).status == 0


def add_noise(tree: Path, size: int) -> Path:
    """Add *size* bytes of headers that compress to half at best, and slowly."""
    generator = random.Random(1)
    for number in range(size // 400_000):
        text = generator.randbytes(200_000).hex()
        (tree / f"include/linux/noise{number}.h").write_text(text)
    return tree


@pytest.fixture
def large_tree(small_tree: SmallTree) -> Path:
    """A tree whose archive is too large for what the tests allow it."""
    return add_noise(small_tree(), 800_000)


@pytest.fixture
def slow_tree(small_tree: SmallTree) -> Path:
    """A tree that takes long enough to be interrupted."""
    return add_noise(small_tree(), 4_000_000)


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with complete_file(str(path)) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert os.listdir(tmp_path) == ["new"]


def test_an_error_leaves_everything_as_it_was(output: Path) -> None:
    with pytest.raises(ZeroDivisionError), complete_file(str(output)) as file:
        file.write(b"half of it")
        raise ZeroDivisionError
    assert is_untouched(output)


def test_permissions_are_what_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with complete_file(str(tmp_path / "new")):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_what_is_replaced_keeps_its_permissions(output: Path) -> None:
    output.chmod(0o604)
    with complete_file(str(output)) as file:
        file.write(b"new")
    assert output.read_bytes() == b"new"
    assert output.stat().st_mode & 0o777 == 0o604


def test_a_symlink_stays_and_its_target_is_replaced(output: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(output)
    with complete_file(str(link)) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert output.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(UsageError, match="is not a file"), complete_file(str(path)):
            pass


@pytest.mark.parametrize("name", ["new/", "new/."])
def test_the_name_of_a_directory_makes_no_file(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="names a directory"),
        complete_file(f"{tmp_path}/{name}"),
    ):
        pass
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere/kheaders.tar.xz")
    error = pytest.raises(KheadersfsError, match=r"/nowhere: no such directory; make it: ")
    with error, complete_file(path):
        pass


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_an_interrupted_run_leaves_everything_as_it_was(
    number: signal.Signals, status: int, slow_tree: Path, output: Path
) -> None:
    process = subprocess.Popen(
        command_line("pack", "--srctree", slow_tree, "-o", output),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: len(os.listdir(output.parent)) == 2, "a temporary file")
        process.send_signal(number)
        printed = process.communicate(timeout=HANGS)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, *printed) == (status, b"", b"")
    assert is_untouched(output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_a_signal_comes_as_the_file_is_made(
    number: signal.Signals, output: Path
) -> None:
    script = f"""
import os, signal, sys
from kheadersfs.pack.output import complete_file

def interrupt(frame, event, function):
    if event == "c_return" and function is os.open and "mkstemp" in frame.f_code.co_name:
        signal.raise_signal({number.value})

sys.setprofile(interrupt)
with complete_file(sys.argv[1]):
    print("not reached")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, output], check=False, capture_output=True, text=True
    )
    assert done.returncode in (128 + number, -number)
    assert done.stdout == ""
    assert is_untouched(output)


def test_a_name_may_be_as_long_as_names_can_be(small_archive: Path, tmp_path: Path) -> None:
    output = tmp_path / ("\N{GREEK SMALL LETTER ALPHA}" * 124 + ".tar.xz")
    assert len(os.fsencode(output.name)) == 255
    assert run_command("repack", small_archive, output) == Outcome(0, "", "")


def test_a_limit_on_file_sizes_is_an_error(large_tree: Path, output: Path) -> None:
    done = subprocess.run(
        ["prlimit", "--fsize=100000", *command_line("pack", "--srctree", large_tree, "-o", output)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"kheadersfs: {output}: cannot be written: File too large; what was there is unchanged\n"
    )
    assert is_untouched(output)


def test_no_memory_for_a_header_is_an_error(small_tree: SmallTree, output: Path) -> None:
    tree = small_tree()
    with open(tree / "include/linux/sched.h", "wb") as header:
        header.truncate(1 << 30)
    limited = ["prlimit", f"--as={1 << 29}"]
    outcome = run_words(*limited, *command_line("pack", "--srctree", tree, "-o", output))
    assert outcome.status == 1
    assert "there is too little memory; end other programs" in one_line(outcome)
    assert is_untouched(output)


def test_no_threads_to_compress_with_is_an_error(stranger: Stranger, small_tree: SmallTree) -> None:
    tree = stranger.directory / "linux"
    shutil.copytree(small_tree(), tree)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    (stranger.directory / "output").mkdir()
    (stranger.directory / "output").chmod(0o777)
    done = stranger.pack("--srctree", tree, "-o", "output/kheaders.tar.xz", preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr == (
        "kheadersfs: cannot work in parallel: can't start new thread; "
        "let its user have more processes (ulimit -u) or memory (ulimit -v)\n"
    )
    assert os.listdir(stranger.directory / "output") == []


@pytest.mark.parametrize("command", ["pack", "repack", "merge"])
def test_a_full_disk_is_an_error(
    command: str, large_tree: Path, full_disk: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "source.tar"
    if command != "pack":
        assert run_command("pack", "--srctree", large_tree, "-o", archive).status == 0
    outcome = run_command(
        *{
            "pack": ("pack", "--srctree", large_tree, "-o", full_disk),
            "repack": ("repack", archive, full_disk),
            "merge": ("merge", f"one={archive}", "-o", full_disk),
        }[command]
    )
    assert outcome.status == 1
    assert "No space left on device; what was there is unchanged; free some space" in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert is_untouched(full_disk)
