"""tools/docs/fleet-index.md says what is written for several kernels, and is enough to read it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.archive.fleet import index as fleet
from kheadersfs.archive.fleet.building import Version, unite
from kheadersfs.archive.fleet.kernels import Directory, FleetKernel
from kheadersfs.archive.names import index as embedded
from tests.conftest import REPOSITORY
from tests.support.fleet_index_reader import read_fleet_index
from tests.support.mounting import Outcome, run_command

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = (REPOSITORY / "tools/docs/fleet-index.md").read_text()
EXAMPLE = DOCUMENT.partition("## An example")[2]
TIME = 315_532_800 * 10**9
FILE, SYMLINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
ROOT = Directory(stat.S_IFDIR | 0o755, TIME)


def example() -> bytes:
    """Return the index of the example."""
    kernels = [FleetKernel(b"a", "6.1", "x86", ROOT), FleetKernel(b"b", "6.2", "x86", ROOT)]
    versions = {
        b"include": [Version(3, *ROOT)],
        b"old.h": [Version(1, SYMLINK, TIME, target=b"include/a.h")],
        b"include/a.h": [Version(1, FILE, TIME, 7, 2560), Version(2, FILE, TIME, 8, 3584)],
        b"include/b.h": [Version(3, FILE, TIME, 9, 4608)],
    }
    union = unite(ROOT, kernels, versions, [0], page_entries=2)
    return fleet.encode(union, [bytes(range(32))], 1, 10240)


def test_the_example_is_what_is_written() -> None:
    shown = [
        bytes.fromhex("".join(re.findall(r"^((?:[0-9a-f]{2} ?)+)(?:  .*)?$", block, re.MULTILINE)))
        for block in re.findall(r"```\n(.*?)```", EXAMPLE, re.DOTALL)
    ]
    sections = [section.inflate() for section in embedded.split(embedded.find(example()))]
    assert shown == sections
    assert embedded.version_of(example()) == embedded.FLEET_VERSION == 4


@pytest.mark.parametrize("suffix", [".tar.xz", ".tar.zst"])
def test_the_document_is_enough_to_read_an_archive(suffix: str, tmp_path: Path) -> None:
    inputs = []
    for number in range(9):
        tree = tmp_path / f"tree{number}"
        for name in ("include/linux/a.h", "include/linux/b.h", f"arch/x86/own{number}.h"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(f"{name}\n" * (number if "a.h" in name else 1))
            os.utime(tree / name, (-1, -5 + number))
        (tree / "include/asm").symlink_to("../arch/x86")
        archive = tmp_path / f"{number}.tar"
        subprocess.run(["tar", "-cf", archive, "--sort=name", "."], check=True, cwd=tree)
        inputs.append(f"k{number}={archive}")
    merged = tmp_path / f"merged{suffix}"
    assert run_command("merge", *inputs, "-o", merged) == Outcome(0, "", "")
    read = read_fleet_index(merged.read_bytes())
    assert [name for name, _, _ in read.words] == [b"k%d" % number for number in range(9)]
    with kheadersfs.open_archive(merged) as opened:
        seen = {os.fsencode(entry.path): entry for entry in opened}
        assert read.listed.keys() == seen.keys()
        for path, entry in seen.items():
            found = read.listed[path]
            assert read.inodes[path] == entry.inode
            assert found.target == os.fsencode(entry.target or "")
            size = entry.size
            assert found[:4] == (entry.mode, entry.links, entry.mtime, size)
            if entry.is_file and entry.size:
                assert found.start == opened.tree.extent(entry.inode)[0]
