"""What lies in the working directory is not run, whatever it is called."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

MOUNT = (
    "import os, sys; from kheadersfs import mounted; os.chdir(sys.argv[1])\n"
    "with mounted(sys.argv[2]) as path: assert os.listdir(path)\n"
)
NAMES = ("kheadersfs", "json", "subprocess", "pyfuse3", "libarchive", "os", "zlib")


def plant(directory: Path) -> None:
    for name in NAMES:
        (directory / f"{name}.py").write_text("open('planted-code-ran', 'w')")


def test_mounted_runs_this_package_and_no_planted_one(
    small_archive: Path, tmp_path: Path, fuse: None
) -> None:
    plant(tmp_path)
    subprocess.run([sys.executable, "-c", MOUNT, tmp_path, small_archive], check=True)
    assert not (tmp_path / "planted-code-ran").exists()


@pytest.mark.parametrize(
    "words",
    [
        *(("ls", "ARCHIVE"), ("cat", "ARCHIVE", "modes/644"), ("info", "ARCHIVE")),
        *(("verify", "ARCHIVE"), ("repack", "ARCHIVE", "out.tar.xz"), ("status",), ("--help",)),
        *(("merge", "a=ARCHIVE", "-o", "merged.tar.xz"), ("run", "--archive", "ARCHIVE", "true")),
    ],
    ids=lambda words: words[0],
)
def test_a_command_imports_nothing_that_lies_where_it_is_called(
    small_archive: Path, tmp_path: Path, fuse: None, words: tuple[str, ...]
) -> None:
    plant(tmp_path)
    command = Path(sysconfig.get_path("scripts"), "kheadersfs")
    arguments = [word.replace("ARCHIVE", str(small_archive)) for word in words]
    done = subprocess.run([command, *arguments], check=False, cwd=tmp_path, capture_output=True)
    assert done.returncode in (0, 10), done.stderr
    assert not (tmp_path / "planted-code-ran").exists()
