"""The commands and the interface that look into an archive without FUSE."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.cli import COMMANDS
from tests.support import golden, synthetic
from tests.support.mounting import Outcome, command_line, one_line, run_command, run_words

if TYPE_CHECKING:
    from pathlib import Path


NAMING = ("ls ARCHIVE modes", "cat ARCHIVE modes/644", "info ARCHIVE", "verify ARCHIVE ARCHIVE")


@pytest.mark.parametrize("words", NAMING)
def test_archives_can_be_named_as_for_run(small_archive: Path, words: str) -> None:
    archive = str(small_archive)
    by_place = words.replace("ARCHIVE", archive).split()
    command, *rest = [word for word in by_place if word != archive]
    named = ["--archive", archive] * (by_place.count(archive) - 1) + [f"--archive={archive}"]
    expected = run_command(*by_place)
    assert expected.status == 0
    assert run_command(command, *rest, *named) == expected
    assert run_command(command, *named, "--", *rest) == expected


def test_an_archive_option_without_its_value_is_a_matter_of_usage(small_archive: Path) -> None:
    outcome = run_command("ls", small_archive, "--archive")
    assert (outcome.status, "--archive: expected one argument" in one_line(outcome)) == (2, True)


@pytest.mark.parametrize("command", ["cat", "ls"])
def test_a_name_that_is_not_there_has_a_status_of_its_own(
    small_archive: Path, command: str
) -> None:
    outcome = run_command(command, small_archive, "include/linux/nosuch.h")
    assert outcome.status == 16
    assert "include/linux/nosuch.h: is not in " in one_line(outcome)
    assert run_command(command, "--frobnicate", small_archive, "include").status == 2


def test_ls_lists_every_name_byte_for_byte(small_archive: Path, synthetic_tree: Path) -> None:
    names = [name[2:] for name in synthetic.names_below(synthetic_tree) if name != b"."]
    listed = subprocess.run(
        command_line("ls", small_archive), check=True, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert listed.stderr == b""
    assert sorted(listed.stdout[:-1].split(b"\n")) == sorted(b"\n".join(names).split(b"\n"))


def test_ls_of_a_path_lists_what_is_below_it(small_archive: Path) -> None:
    outcome = run_command("ls", small_archive, "empty", "sizes/513")
    assert outcome == Outcome(0, "empty\nempty/within\nsizes/513\n", "")


def test_ls_long_shows_mode_links_size_time_and_target(
    small_archive: Path, synthetic_tree: Path
) -> None:
    lines = run_command("ls", "-l", small_archive, "links", TZ="UTC").output.splitlines()
    # The target of one symlink ends with a newline.
    fields = {line.split()[5]: line.split() for line in lines if line}
    assert fields["links/one"][:3] == ["-rw-r--r--", "3", "22"]
    assert fields["links/deeper"][0] == "drwxr-xr-x"
    assert fields["links/dangling"][-2:] == ["->", "nowhere"]
    when = time.gmtime((synthetic_tree / "links/one").stat().st_mtime)
    assert fields["links/one"][3:5] == [time.strftime(part, when) for part in ("%Y-%m-%d", "%H:%M")]


def test_cat_prints_files_one_after_the_other(small_archive: Path, synthetic_tree: Path) -> None:
    names = ["sizes/513", "links/two", "sizes/0", "sizes/4097"]
    printed = subprocess.run(
        command_line("cat", small_archive, *names), check=True, capture_output=True
    ).stdout
    assert printed == b"".join((synthetic_tree / name).read_bytes() for name in names)
    directory = run_command("cat", small_archive, "sizes")
    assert (directory.status, "sizes" in directory.errors) == (2, True)


def test_info_describes_the_archive(reference_archive: Path) -> None:
    facts = json.loads(run_command("info", "--json", reference_archive).output)
    content = reference_archive.read_bytes()
    assert facts["archive"] == str(reference_archive)
    assert facts["size"] == len(content)
    assert facts["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert (facts["format"], facts["compression"], facts["checksums"]) == ("tar", "xz", True)
    assert (facts["indexed"], facts["refused"], facts["damage"]) == (False, 0, None)
    text = run_command("info", reference_archive).output
    assert facts["release"] in text
    assert facts["digest"] in text


def test_info_counts_what_is_there(small_archive: Path, synthetic_tree: Path) -> None:
    facts = json.loads(run_command("info", "--json", small_archive).output)
    # The root is a directory too.
    described = golden.describe(synthetic_tree)
    inodes = [entry for name, entry in described.items() if entry.same_as == name]
    kinds = [entry.kind for entry in inodes]
    assert facts["files"] == kinds.count("-")
    assert facts["directories"] == kinds.count("d")
    assert facts["symlinks"] == kinds.count("l")
    assert facts["content_size"] == sum(entry.size for entry in inodes if entry.kind == "-")


def test_a_reader_that_has_seen_enough_is_no_error(reference_archive: Path) -> None:
    script = '"$@" | head -n 1; exit "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command_line("ls", reference_archive)],
        check=False,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments", [("ls",), ("cat", "modes/644"), ("info",), ("verify",), ("--help",)]
)
def test_output_that_cannot_be_written_is_one_line_and_status_1(
    arguments: tuple[str, ...], small_archive: Path
) -> None:
    command, *paths = arguments
    archive = [] if command.startswith("-") else [small_archive]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command_line(command, *archive, *paths),
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "kheadersfs: standard output cannot be written to: No space left on device; "
        "free some space, or write elsewhere\n"
    )


@pytest.mark.parametrize("command", ["mount", "umount", "status", "cflags"])
def test_a_working_directory_that_has_been_removed_is_named(
    command: str, small_archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    archive = [small_archive] if command == "mount" else []
    words = command_line(command, *archive, "headers")
    outcome = run_words("sh", "-c", script, "sh", str(tmp_path / "gone"), *words)
    assert outcome == Outcome(
        1, "", "kheadersfs: the working directory has been removed; change to another one\n"
    )


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("command", ["env", "cflags", "info", "verify"])
def test_names_are_printed_byte_for_byte_in_any_encoding(
    command: str, encoding: str, small_archive: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "\u00fc\udcff"
    (tree / "include/linux").mkdir(parents=True)
    (tree / "include/linux/kconfig.h").touch()
    (tree / "arch/x86/include").mkdir(parents=True)
    archive = tree / "headers.tar.xz"
    shutil.copy(small_archive, archive)
    path = tree if command in ("env", "cflags") else archive
    outcome = run_command(command, path, PYTHONIOENCODING=encoding)
    assert (outcome.status, outcome.errors) == (0, "")
    assert str(path) in outcome.output


@pytest.mark.parametrize("command", ["mount", "umount"])
def test_an_empty_mountpoint_is_not_the_directory_one_is_in(
    command: str, small_archive: Path
) -> None:
    archive = [small_archive] if command == "mount" else []
    outcome = run_command(command, *archive, "")
    assert outcome == Outcome(10, "", "kheadersfs: MOUNTPOINT is empty; name a directory\n")


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("-h",), ("mount", "--help")])
def test_help_and_version_are_answered_without_what_takes_time_to_load(
    arguments: tuple[str, ...],
) -> None:
    script = (
        "import sys\n"
        "from kheadersfs.cli import main\n"
        "try:\n"
        "    status = main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    status = end.code or 0\n"
        "print(sorted({'pyfuse3', 'trio', 'libarchive'} & sys.modules.keys()), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert kheadersfs.__version__ in done.stdout or "usage" in done.stdout


def test_every_command_has_help() -> None:
    summary = run_command("--help").output
    for name in COMMANDS:
        assert f"  {name} " in summary
        outcome = run_command(name, "--help")
        assert (outcome.status, outcome.errors) == (0, "")
        assert outcome.output.startswith(f"usage: kheadersfs {name}")


def test_ls_prints_json_for_programs(small_archive: Path) -> None:
    outcome = run_command("ls", "--json", small_archive)
    assert (outcome.status, outcome.errors) == (0, "")
    entries = json.loads(outcome.output)
    with kheadersfs.open_archive(small_archive) as archive:
        assert [entry["path"] for entry in entries] == [entry.path for entry in archive]
        by_path = {entry["path"]: entry for entry in entries}
        file = archive.entry("sizes/513")
        assert by_path["sizes/513"] == {
            "path": "sizes/513",
            "type": "file",
            "mode": f"{stat.S_IMODE(file.mode):04o}",
            "links": 1,
            "inode": file.inode,
            "size": 513,
            "mtime_ns": file.mtime,
            "target": None,
        }
    assert by_path["links/dangling"]["type"] == "symlink"
    assert by_path["links/dangling"]["target"] == "nowhere"
    assert by_path["empty"]["type"] == "directory"


def test_json_of_what_cannot_be_listed_is_whole(small_archive: Path) -> None:
    outcome = run_command("ls", "--json", small_archive, "sizes/513", "absent", "sizes/1")
    assert (outcome.status, "absent: is not in " in outcome.errors) == (16, True)
    assert [entry["path"] for entry in json.loads(outcome.output)] == ["sizes/513"]
    assert json.loads(run_command("ls", "--json", small_archive, "absent").output) == []
