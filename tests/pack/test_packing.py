"""The command pack on small trees: forms, times, profiles, reproducibility, and what goes wrong."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.kernel.trees import find_kernel_tree
from kheadersfs.pack.comments import strip
from kheadersfs.pack.packing import Settings, pack
from kheadersfs.pack.selection import select
from kheadersfs.pack.writing import Description, Form
from tests.conftest import REPOSITORY
from tests.pack.conftest import NOBODY
from tests.support.mounting import Outcome, run_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.pack.conftest import SmallTree, Stranger

from tests.support.packing import ignore, run_pack

FORMS = [
    f"{format_name}{suffix}"
    for format_name in (".tar", ".cpio")
    for suffix in ("", ".gz", ".xz", ".zst")
]
INDEXED = (".xz", ".zst")


def large_headers() -> dict[str, str]:
    """Headers that fill several blocks: 1.6 MB of text."""
    generator = random.Random(3)
    return {
        f"include/linux/large{number}.h": "#include <linux/kconfig.h>\n"
        + "".join(f"#define X{generator.getrandbits(40)} {number}\n" for _ in range(1000))
        for number in range(60)
    }


@pytest.fixture(scope="module")
def large_files() -> Mapping[str, str]:
    return large_headers()


def must_pack(tree: Path, archive: Path, *options: str | Path, **environment: str) -> None:
    assert run_pack(tree, archive, *options, **environment) == Outcome(0, "", "")


@pytest.mark.parametrize("form", FORMS)
def test_the_name_of_the_archive_says_its_form(
    form: str, small_tree: SmallTree, tmp_path: Path
) -> None:
    archive = tmp_path / f"kheaders{form}"
    must_pack(small_tree(), archive)
    assert run_command("verify", archive).status == 0
    with kheadersfs.open_archive(archive) as opened:
        assert (opened.release, opened.arch) == ("6.1.7-test", "x86")
        assert opened.format == form.split(".")[1]
        assert opened.content.indexed == form.endswith(INDEXED)
        assert opened.read("arch/x86/include/asm/page.h") == b"#define PAGE_SHIFT 12\n"
        paths = {entry.path for entry in opened if entry.is_file}
    assert "include/generated/utsversion.h" not in paths
    assert len(paths) == 8


def test_options_win_over_the_name(small_tree: SmallTree, tmp_path: Path) -> None:
    archive = tmp_path / "kheaders.tar.xz"
    must_pack(small_tree(), archive, "--format", "cpio", "--compress", "none")
    assert archive.read_bytes().startswith(b"070701")
    must_pack(small_tree(), tmp_path / "unspoken")
    assert (tmp_path / "unspoken").read_bytes().startswith(b"\xfd7zXZ\0")


def test_comments_are_kept_or_removed_as_asked(small_tree: SmallTree, tmp_path: Path) -> None:
    text = 'a /* x */ "/* y */"\n/* z\n */b\n'
    tree = small_tree(files={"include/linux/a.h": text})
    stripped = {
        "strip": b'a "/* y */"\n \\\n b\n',
        "kernel": b'a  ""\nb\n',
        "keep": text.encode(),
    }
    for comments, expected in stripped.items():
        archive = tmp_path / f"{comments}.tar"
        must_pack(tree, archive, "--comments", comments)
        with kheadersfs.open_archive(archive) as opened:
            assert opened.read("include/linux/a.h") == expected


def times(archive: Path) -> set[float]:
    with tarfile.open(archive) as tar:
        return {member.mtime for member in tar}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 315_532_800),
        ({"SOURCE_DATE_EPOCH": "1700000000"}, 1_700_000_000),
        ({"KBUILD_BUILD_TIMESTAMP": "@1600000000"}, 1_600_000_000),
        ({"KBUILD_BUILD_TIMESTAMP": "2020-09-13 12:26:40"}, 1_600_000_000),
        ({"KBUILD_BUILD_TIMESTAMP": "Sun Sep 13 14:26:40 CEST 2020"}, 1_600_000_000),
        (
            {"KBUILD_BUILD_TIMESTAMP": "@1600000000", "SOURCE_DATE_EPOCH": "1700000000"},
            1_600_000_000,
        ),
        ({"KBUILD_BUILD_TIMESTAMP": "", "SOURCE_DATE_EPOCH": "0"}, 0),
    ],
)
def test_times_are_those_of_the_environment(
    environment: dict[str, str], expected: int, small_tree: SmallTree, tmp_path: Path
) -> None:
    archive = tmp_path / "kheaders.tar"
    must_pack(small_tree(), archive, **environment, TZ="Asia/Tokyo")
    assert times(archive) == {expected}


@pytest.mark.parametrize(
    "environment",
    [
        {"SOURCE_DATE_EPOCH": "yesterday"},
        {"SOURCE_DATE_EPOCH": "-1"},
        {"SOURCE_DATE_EPOCH": "99999999999"},
        {"KBUILD_BUILD_TIMESTAMP": "no date"},
        {"KBUILD_BUILD_TIMESTAMP": " "},
        {"KBUILD_BUILD_TIMESTAMP": "1960-01-01"},
    ],
)
def test_a_time_that_is_none_is_refused(
    environment: dict[str, str], small_tree: SmallTree, tmp_path: Path
) -> None:
    outcome = run_pack(small_tree(), tmp_path / "kheaders.tar", **environment)
    assert outcome.status == 2
    [variable] = environment
    assert f"{variable}={environment[variable]}: is not a time" in outcome.errors
    assert outcome.errors.count("\n") == 1


def test_a_profile_says_what_is_hot(
    small_tree: SmallTree, large_files: Mapping[str, str], tmp_path: Path
) -> None:
    listed = ["include/linux/large50.h", "include/linux/sched.h", "include/linux/large10.h"]
    profile = tmp_path / "profile"
    profile.write_text("\n".join(["./" + listed[0], *listed[1:], "include/gone.h", ""]))
    tree, archive = small_tree(files=large_files), tmp_path / "kheaders.tar.xz"
    must_pack(tree, archive, "--profile", profile)
    with kheadersfs.open_archive(archive) as opened:
        blocks, tree_of = opened.content.blocks, opened.tree
        end = blocks.starts[opened.content.hot_blocks]
        hot = {
            entry.path for entry in opened if entry.is_file and tree_of.extent(entry.inode)[0] < end
        }
    assert hot == set(listed)
    must_pack(tree, archive)
    with kheadersfs.open_archive(archive) as opened:
        assert opened.content.hot_blocks == len(opened.content.blocks) >= 3


@pytest.mark.parametrize("content", [b"", b"include/of/another/kernel.h\n", None])
def test_a_profile_that_lists_nothing_is_no_use(
    content: bytes | None, small_tree: SmallTree, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    if content is not None:
        profile.write_bytes(content)
    outcome = run_pack(small_tree(), tmp_path / "kheaders.tar", "--profile", profile)
    assert outcome.status == {b"": 0, None: 1}.get(content, 2), outcome
    assert outcome.errors.count("\n") == (0 if content == b"" else 1)


def test_two_runs_make_the_same_bytes(
    stranger: Stranger, small_tree: SmallTree, large_files: Mapping[str, str], tmp_path: Path
) -> None:
    """Another user, directory, locale, umask, time zone, hash seed, Python and time of day."""
    tree = small_tree(files=large_files)
    first = tmp_path / "first.tar.xz"
    must_pack(tree, first, LC_ALL="C.UTF-8", PYTHONHASHSEED="1")
    output = stranger.directory / "output"
    output.mkdir()
    os.chown(output, NOBODY, NOBODY)
    copy = stranger.directory / "another name"
    shutil.copytree(tree, copy)
    for path in copy.rglob("*"):
        path.chmod(0o555)
    environment = {
        "PYTHONHASHSEED": "2",
        "LC_ALL": "tr_TR.UTF-8",
        "TZ": "Pacific/Auckland",
        "HOME": "/nonexistent",
    }
    done = stranger.pack("-o", "../output/second.tar.xz", cwd=copy, umask=0o077, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (output / "second.tar.xz").read_bytes() == first.read_bytes()
    assert (output / "second.tar.xz").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", [Form("tar", "xz"), Form("cpio", "xz"), Form("tar", "zstd")])
def test_threads_make_no_difference(
    form: Form, small_tree: SmallTree, large_files: Mapping[str, str], tmp_path: Path
) -> None:
    tree = find_kernel_tree(str(small_tree(files=large_files)), None, None)
    made = []
    for threads in (1, 2, 5):
        path = tmp_path / str(threads)
        settings = Settings(form, strip, [], 0, threads)
        pack(partial(select, tree), Description("", "x86"), str(path), settings, ignore)
        made.append(path.read_bytes())
    assert made[0] == made[1] == made[2]


def test_packing_needs_nothing_but_the_standard_library(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    """As on a build host: no site packages, nothing of FUSE, nobody at the terminal."""
    for name in ("kheaders.tar.xz", "kheaders.cpio.xz", "kheaders.cpio.gz"):
        script = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from kheadersfs.cli import main; sys.exit(main(sys.argv[2:]))"
        )
        arguments = ("pack", "--srctree", small_tree(), "-o", tmp_path / name)
        done = subprocess.run(
            [sys.executable, "-IS", "-c", script, REPOSITORY, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert run_command("verify", tmp_path / name).status == 0
