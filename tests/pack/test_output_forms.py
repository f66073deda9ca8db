"""What the name of an archive says of its form, and of where it is to be."""

from __future__ import annotations

import os
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import WholeReader
from tests.support.mounting import (
    Outcome,
    one_line,
    run_command,
)

if TYPE_CHECKING:
    from tests.pack.conftest import SmallTree


@pytest.mark.parametrize("name", ["kheaders", "kheaders-6.1.192", "6.12.0-rc1", "kheaders."])
def test_a_name_that_promises_nothing_is_written_as_tar_xz(
    small_archive: Path, tmp_path: Path, name: str
) -> None:
    output = tmp_path / name
    assert run_command("repack", small_archive, "-o", output).status == 0
    with tarfile.open(output, "r:xz") as tar:
        assert tar.getnames()


@pytest.mark.parametrize("command", ["repack", "merge", "pack"])
def test_an_output_in_no_directory_says_which_is_missing(
    command: str, small_archive: Path, small_tree: SmallTree, tmp_path: Path
) -> None:
    words: dict[str, tuple[str | Path, ...]] = {
        "repack": (small_archive,),
        "merge": (f"a={small_archive}",),
        "pack": ("--srctree", small_tree()),
    }
    output = tmp_path / "no dir/out.tar.xz"
    outcome = run_command(command, *words[command], "-o", output)
    assert outcome.status == 1
    told = f"{tmp_path}/no dir: no such directory; make it: mkdir -p '{tmp_path}/no dir'"
    assert one_line(outcome) == f"kheadersfs: {told}\n"


def test_a_link_that_leads_into_no_directory_says_which_is_missing(
    small_archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.tar.xz").symlink_to("absent/out.tar.xz")
    outcome = run_command("repack", small_archive, "-o", tmp_path / "out.tar.xz")
    assert (outcome.status, f"{tmp_path}/absent: no such dir" in one_line(outcome)) == (1, True)


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("k.tar.xz", "xz, tar"),
        ("k.txz", "xz, tar"),
        ("k.tar.zst", "zstd, tar"),
        ("k.tzst", "zstd, tar"),
        ("k.tar.zstd", "zstd, tar"),
        ("k.tgz", "gzip, tar"),
        ("k.taz", "gzip, tar"),
        ("k.cpio.gz", "gzip, cpio"),
        ("k.cpio", "none, cpio"),
        ("k.tar", "none, tar"),
        ("k.2026", "xz, tar"),
    ],
)
def test_the_name_says_the_form(tmp_path: Path, name: str, description: str) -> None:
    (tmp_path / "a.h").write_bytes(b"#define A 1\n")
    os.utime(tmp_path / "a.h", (1, 1))
    plain, output = tmp_path / "plain.tar", tmp_path / name
    subprocess.run(["tar", "-cf", plain, "-C", tmp_path, "a.h"], check=True)
    assert run_command("repack", plain, output) == Outcome(0, "", "")
    with closing(open_archive(str(output))) as archive:
        assert f"{archive.compression}, {WholeReader(archive).format}" == description
