"""Mounts of archives that are good, though something is odd about them that the log tells."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.attacks.forging import END, tar_file
from tests.support.mounting import run_command
from tests.support.synthetic import require_programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting

FIRST, SECOND = tar_file(b"a", b"first\n"), tar_file(b"b", b"second\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (tar_file(b"/a", b"first\n") + END, "leading / removed from 1 member names"),
        (FIRST, "it has no end marker"),
        (FIRST + END + SECOND + END, "there is more behind its end marker"),
    ],
    ids=["absolute", "without an end marker", "two archives"],
)
def test_what_is_odd_is_in_the_log_and_the_files_are_there(
    content: bytes, told: str, mount: Mounting, tmp_path: Path
) -> None:
    archive = tmp_path / "odd.tar"
    archive.write_bytes(content)
    mounted = mount(archive)
    mounted.accept(f"WARNING: .*{told}")
    assert (mounted.path / "a").read_bytes() == b"first\n"
    assert [path.name for path in mounted.path.iterdir()] == ["a"]
    assert sum(told in line for line in mounted.messages()) == 1


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
def test_a_file_that_is_a_hole_is_read_as_zeros(
    program: str, mount: Mounting, tmp_path: Path
) -> None:
    require_programs(program)
    with open(tmp_path / "hole", "wb") as stream:
        stream.truncate(1 << 20)
    (tmp_path / "file").write_bytes(b"content")
    sparse = ["-S"] if program == "tar" else []
    command = [program, "-c", *sparse, "-f", "holes.tar", "hole", "file"]
    subprocess.run(command, cwd=tmp_path, check=True)
    mounted = mount(tmp_path / "holes.tar")
    assert (mounted.path / "hole").read_bytes() == bytes(1 << 20)
    assert (mounted.path / "file").read_bytes() == b"content"


def test_strict_refuses_absolute_names(tmp_path: Path, fuse: None) -> None:
    archive, place = tmp_path / "absolute.tar", tmp_path / "place"
    archive.write_bytes(tar_file(b"/a", b"first\n") + END)
    place.mkdir()
    strict = run_command("mount", "--strict", archive, place)
    assert (strict.status, "1 absolute names; refused (--strict)" in strict.errors) == (14, True)
