"""What README shows is what one sees who types it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import run_command

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (REPOSITORY / "README.md").read_text()
CONSOLES = [
    block
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    if "./tools/" not in block  # these take minutes, and others call them
]
[PYTHON] = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
RELEASE = re.compile(r'(?<=UTS_RELEASE ")[^"]+')


@pytest.fixture
def place(reference_archive: Path, tmp_path: Path, fuse: None) -> Iterator[Path]:
    """A directory with what the examples need."""
    shutil.copy(reference_archive, tmp_path / "kheaders.tar.xz")
    mountpoint = tmp_path / "headers"
    mountpoint.mkdir()
    yield tmp_path
    if os.path.ismount(mountpoint):  # an example has failed in between
        run_command("umount", "--lazy", mountpoint)


def run_in(place: Path, *words: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        words,
        check=False,
        cwd=place,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("console", CONSOLES)
def test_commands_print_what_is_shown_below_them(console: str, place: Path) -> None:
    printed = ""
    for line in console.splitlines():
        if line.startswith("$ "):
            printed += f"{line}\n{run_in(place, 'sh', '-c', line.removeprefix('$ '))}"
    # Which kernel's headers are tried differs from machine to machine.
    assert RELEASE.sub("", printed) == RELEASE.sub("", console)


def test_the_program_runs(place: Path) -> None:
    assert run_in(place, sys.executable, "-c", PYTHON) == ""
