"""What lies in the working directory is not run, whatever it is called."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOUNT = (
    "import os, sys; from kheadersfs import mounted; os.chdir(sys.argv[1])\n"
    "with mounted(sys.argv[2]) as path: assert os.listdir(path)\n"
)
NAMES = ("kheadersfs", "json", "subprocess", "pyfuse3", "libarchive", "os", "zlib")


def test_mounted_runs_this_package_and_no_planted_one(
    small_archive: Path, tmp_path: Path, fuse: None
) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("open('planted-code-ran', 'w')")
    subprocess.run([sys.executable, "-c", MOUNT, tmp_path, small_archive], check=True)
    assert not (tmp_path / "planted-code-ran").exists()
