"""Archives of several kernels, merged of one each."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from tests.support import golden
from tests.support.mounting import Outcome, run_command

if TYPE_CHECKING:
    pass


KERNELS = {
    "6.1": {"include/linux/same.h": "same\n", "include/linux/other.h": "old\n"},
    "6.2": {"include/linux/same.h": "same\n", "include/linux/other.h": "new\n"},
    "6.3": {"include/linux/moved.h": "same\n", "include/linux/empty.h": ""},
}


@pytest.fixture
def kernels(tmp_path: Path) -> dict[str, Path]:
    """Archives of three kernels that have some files in common, with links among them."""
    archives = {}
    for name, files in KERNELS.items():
        tree = tmp_path / f"tree-{name}"
        for path, text in {**files, "include/linux/all.h": "all\n"}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        os.link(tree / "include/linux/all.h", tree / "include/linux/hard.h")
        (tree / "include/linux/soft.h").symlink_to("all.h")
        archives[name] = tmp_path / f"{name}.tar.xz"
        subprocess.run(["tar", "-cJf", archives[name], "--sort=name", "."], check=True, cwd=tree)
    return archives


def merge(output: Path, archives: dict[str, Path]) -> None:
    words = [f"{name}={archive}" for name, archive in archives.items()]
    assert run_command("merge", *words, "-o", output) == Outcome(0, "", "")


@pytest.mark.parametrize("suffix", [".tar.xz", ".tar.zst", ".cpio.zst", ".tar"])
def test_merged_kernels_have_all_their_files(
    suffix: str, kernels: dict[str, Path], tmp_path: Path
) -> None:
    merged = tmp_path / f"merged{suffix}"
    merge(merged, kernels)
    assert run_command("verify", merged).status == 0
    with kheadersfs.open_archive(merged) as opened:
        contents = {entry.path: opened.read(entry.path) for entry in opened if entry.is_file}
        targets = {entry.path: entry.target for entry in opened if entry.target}
    expected = {}
    for name, archive in kernels.items():
        with kheadersfs.open_archive(archive) as opened:
            for entry in opened:
                if entry.is_file:
                    expected[f"{name}/{entry.path}"] = opened.read(entry.path)
    assert contents == expected
    assert targets == {f"{name}/include/linux/soft.h": "all.h" for name in kernels}


def test_the_same_header_of_several_kernels_is_there_once(
    kernels: dict[str, Path], tmp_path: Path
) -> None:
    merged = tmp_path / "merged.tar.xz"
    merge(merged, kernels)
    with kheadersfs.open_archive(merged) as opened:
        groups: dict[int, set[str]] = {}
        for entry in opened:
            if entry.is_file:
                groups.setdefault(entry.inode, set()).add(entry.path)
    directory = "include/linux"
    assert sorted(groups.values(), key=sorted) == [
        {f"{name}/{directory}/{file}" for name in KERNELS for file in ("all.h", "hard.h")},
        {f"6.1/{directory}/other.h"},
        {f"{name}/{directory}/same.h" for name in ("6.1", "6.2")},
        {f"6.2/{directory}/other.h"},
        # Nothing is shared that has another name, or nothing in it.
        {f"6.3/{directory}/empty.h"},
        {f"6.3/{directory}/moved.h"},
    ]


def test_gnu_tar_extracts_every_kernel_as_it_was(kernels: dict[str, Path], tmp_path: Path) -> None:
    # In this order the links' targets have names that come after the links' own.
    merged, tree = tmp_path / "merged.tar.xz", tmp_path / "merged"
    merge(merged, dict(reversed(kernels.items())))
    with tarfile.open(merged) as tar:
        assert sum(member.islnk() for member in tar) >= 6
    golden.extract_with_tar(merged, tree)
    for name in kernels:
        for path in (tmp_path / f"tree-{name}").rglob("*.h"):
            extracted = tree / name / path.relative_to(tmp_path / f"tree-{name}")
            assert extracted.read_bytes() == path.read_bytes()
            assert extracted.is_symlink() == path.is_symlink()


@pytest.mark.parametrize(
    "words",
    [("=a.tar",), ("a=",), ("a/b=a.tar",), ("..=a.tar",), ("a=x", "a=y")],
)
def test_names_that_are_no_directories_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    outcome = run_command("merge", *words, "-o", tmp_path / "out.tar.xz")
    assert outcome.status == 2
    assert outcome.errors.count("\n") == 1
