"""Archives that version 0.1.0 has packed are what they were: those in written_by_0_1_0.

Its ``repack`` has made one.* and its ``merge`` two.tar.zst, of the same tree with two releases.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import kheadersfs
from kheadersfs.errors import NotInArchive
from tests.support.mounting import run_command

WRITTEN = Path(__file__).parent / "written_by_0_1_0"
MERGED = WRITTEN / "two.tar.zst"
ONE = sorted(WRITTEN.glob("one.*"))
FIRST = '#define UTS_RELEASE "6.1.0-first"\n'
SECOND = '#define UTS_RELEASE "6.12.0-second"\n'
FILES = {
    "include/generated/autoconf.h": "#define CONFIG_X86 1\n",
    "include/generated/utsrelease.h": FIRST,
    "include/linux/one.h": "#define ONE 1\n",
    "include/linux/same.h": "#define ONE 1\n",
}


def files_in(archive: Path) -> dict[str, str]:
    with kheadersfs.open_archive(archive) as opened:
        return {entry.path: opened.read(entry.path).decode() for entry in opened if entry.is_file}


def test_all_kinds_are_tried() -> None:
    assert [path.name for path in ONE] == [
        "one.cpio.xz",
        "one.cpio.zst",
        "one.tar.xz",
        "one.tar.zst",
    ]


@pytest.mark.parametrize("archive", [*ONE, MERGED], ids=lambda path: path.name)
def test_their_index_is_used_and_right(archive: Path) -> None:
    verified = run_command("verify", archive)
    assert (verified.status, verified.errors) == (0, "")
    assert "its index agrees" in verified.output


@pytest.mark.parametrize("archive", ONE, ids=lambda path: path.name)
def test_their_files_are_there(archive: Path) -> None:
    assert files_in(archive) == FILES
    with kheadersfs.open_archive(archive) as opened:
        assert (opened.release, opened.arch) == ("6.1.0-first", "x86")
        assert opened.entry("include/linux/also.h").target == "one.h"
        assert (
            opened.entry("include/linux/one.h").inode == opened.entry("include/linux/same.h").inode
        )


def test_each_kernel_of_a_merged_one_is_in_its_directory() -> None:
    expected = {f"first/{path}": text for path, text in FILES.items()}
    expected |= {f"second/{path}": text for path, text in FILES.items()}
    expected["second/include/generated/utsrelease.h"] = SECOND
    assert files_in(MERGED) == expected


@pytest.mark.parametrize(
    "command",
    [
        ["ls", "--release", "first", MERGED],
        ["run", "--release", "first", "--archive", MERGED, "--", "true"],
        ["run", "--each", "--release", "first", "--archive", MERGED, "--", "true"],
    ],
    ids=["ls", "run", "run --each"],
)
def test_who_asks_a_merged_one_for_a_kernel_hears_what_to_do(command: list[str | Path]) -> None:
    asked = run_command(*command)
    assert (asked.status, asked.output) == (NotInArchive.exit_status, "")
    assert "no kernel first" in asked.errors or "--release first: no such kernel" in asked.errors
    assert asked.errors.endswith(
        "; there is one that does not say its release; leave out --release to have it; in what "
        "was merged by kheadersfs 0.1.0, with hard links or as cpio, kernels are only directories: "
        "name one, or merge again, as tar without hard links\n"
    )


def test_what_that_says_helps(tmp_path: Path) -> None:
    assert run_command("cat", MERGED, "first/include/generated/utsrelease.h").output == FIRST
    for name in ("first", "second"):
        for path, text in FILES.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        archive = tmp_path / f"{name}.tar.xz"
        subprocess.run(["tar", "-cJf", archive, "-C", tmp_path / name, "."], check=True)
    again = tmp_path / "again.tar.zst"
    sources = [f"{name}={tmp_path / name}.tar.xz" for name in ("first", "second")]
    assert run_command("merge", "-o", again, *sources).status == 0
    found = run_command("cat", "--release", "first", again, "include/generated/utsrelease.h")
    assert (found.status, found.output) == (0, FIRST)


@pytest.mark.parametrize("archive", ONE, ids=lambda path: path.name)
def test_they_are_mounted(archive: Path, fuse: None) -> None:
    with kheadersfs.mounted(archive) as path:
        assert Path(path, "include/generated/utsrelease.h").read_text() == FIRST
        assert os.listdir(os.path.join(path, "include/linux")) == ["also.h", "one.h", "same.h"]


def test_they_are_packed_anew_and_merged(tmp_path: Path) -> None:
    merged = tmp_path / "merged.tar.zst"
    inputs = [f"{number}={archive}" for number, archive in enumerate(ONE)]
    assert run_command("merge", "-o", merged, *inputs).status == 0
    again = tmp_path / "again.tar.xz"
    assert run_command("repack", MERGED, "-o", again).status == 0
    assert files_in(again) == files_in(MERGED)
    assert len(files_in(merged)) == len(ONE) * len(FILES)
