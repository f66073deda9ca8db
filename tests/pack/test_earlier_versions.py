"""Archives that version 0.1.0 has packed are what they were: those in written_by_0_1_0.

Its ``repack`` has made one.* and its ``merge`` two.tar.zst, of the same tree with two releases.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import kheadersfs
from tests.support.mounting import run_command

WRITTEN = Path(__file__).parent / "written_by_0_1_0"
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


@pytest.mark.parametrize("archive", [*ONE, WRITTEN / "two.tar.zst"], ids=lambda path: path.name)
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
    assert files_in(WRITTEN / "two.tar.zst") == expected


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
    assert run_command("repack", WRITTEN / "two.tar.zst", "-o", again).status == 0
    assert files_in(again) == files_in(WRITTEN / "two.tar.zst")
    assert len(files_in(merged)) == len(ONE) * len(FILES)
