"""What verify says of an archive, and what it does not see."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.errors import KheadersfsError
from kheadersfs.verification import verify
from tests.support.mounting import command_line, one_line, run_command, run_words
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from pathlib import Path


def test_verify_reads_everything_and_says_so(small_archive: Path, tmp_path: Path) -> None:
    good = run_command("verify", small_archive, small_archive)
    assert (good.status, good.errors) == (0, "")
    assert good.output.count(": good: ") == 2
    content = bytearray(small_archive.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "damaged.tar.xz"
    damaged.write_bytes(content)
    bad = run_command("verify", small_archive, damaged)
    assert bad.status == 13
    assert str(damaged) in bad.errors
    assert str(small_archive) in bad.output


def test_verify_names_the_block_that_is_damaged(small_archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.tar.xz"
    assert run_command("repack", small_archive, packed).status == 0
    packed.write_bytes(altered(packed.read_bytes(), packed.stat().st_size // 2))
    outcome = run_command("verify", packed)
    assert outcome.status == 13
    assert re.search(r": block [0-9]+ of [0-9]+ is damaged: .*make or fetch", outcome.errors)


@pytest.mark.skipif(shutil.which("xz") is None, reason="not installed: xz")
def test_verify_finds_what_xz_finds_at_the_end_of_a_packed_archive(
    small_archive: Path, tmp_path: Path
) -> None:
    packed, changed = tmp_path / "packed.tar.xz", tmp_path / "changed.tar.xz"
    assert run_command("repack", small_archive, packed).status == 0
    content = packed.read_bytes()
    for position in range(1, 400, 3):
        changed.write_bytes(altered(content, -position))
        assert subprocess.run(["xz", "-t", changed], check=False, capture_output=True).returncode
        with pytest.raises(KheadersfsError), kheadersfs.open_archive(changed) as archive:
            verify(archive, lambda _done, _all: None)


def test_verify_says_when_damage_need_not_show(small_archive: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tar"
    with open(plain, "wb") as stream:
        subprocess.run(["xz", "-dc", small_archive], check=True, stdout=stream)
    assert "no checksums" in run_command("verify", plain).output
    assert "no checksums" not in run_command("verify", small_archive).output


def test_verify_prints_json_for_programs(small_archive: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar.xz"
    content = small_archive.read_bytes()
    damaged.write_bytes(altered(content, len(content) // 2))
    outcome = run_command("verify", "--json", small_archive, damaged, tmp_path / "absent")
    assert (outcome.status, outcome.errors) == (13, "")
    good, bad, absent = json.loads(outcome.output)
    with kheadersfs.open_archive(small_archive) as archive:
        assert good == {
            "archive": str(small_archive),
            "status": 0,
            "members": len(archive.tree),
            "content_size": archive.tree.content_size(),
            "indexed": False,
            "checksums": True,
            "refused": 0,
            "notes": [],
        }
    assert (bad["archive"], bad["status"]) == (str(damaged), 13)
    assert (absent["status"], "No such file" in absent["error"]) == (11, True)
    assert run_command("verify", "--json", small_archive).status == 0


@pytest.mark.parametrize("kib", [30_000, 36_000, 50_000])
def test_a_library_that_memory_is_short_for_is_not_said_to_be_missing(
    kib: int, small_archive: Path
) -> None:
    words = command_line("verify", small_archive)
    outcome = run_words("sh", "-c", f'ulimit -v {kib}; exec "$@"', "sh", *words)
    assert outcome.status == 14
    assert "takes more memory to read than there is" in one_line(outcome)
