"""Sparse files, as GNU tar and bsdtar write them in all their formats: holes are zeros."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.attacks import forging as forge
from tests.support.mounting import Outcome, run_command
from tests.support.seen import seen_by_us, seen_on_disk
from tests.support.synthetic import require_programs

if TYPE_CHECKING:
    from pathlib import Path

UNIT = 64 << 10
DATA = {
    "a hole and nothing else": (3000, ()),
    "a large hole and nothing else": (5 * UNIT, ()),
    "data at the start": (5 * UNIT, (0,)),
    "data in the middle": (5 * UNIT, (2 * UNIT,)),
    "data at the end": (5 * UNIT, (4 * UNIT,)),
    "a tail that fills no block": (5 * UNIT + 3, (UNIT,)),
    "holes between": (12 * UNIT, (UNIT, 3 * UNIT, 5 * UNIT, 7 * UNIT, 9 * UNIT, 11 * UNIT)),
    "no hole": (UNIT, (0,)),
    "nothing": (0, ()),
}
"""Size of each file, and where it has UNIT bytes of data."""
FORMS = {
    "gnu": ("tar", "-S", "--format=gnu"),
    "oldgnu": ("tar", "-S", "--format=oldgnu"),
    **{
        f"pax {version}": ("tar", "-S", "--format=pax", f"--sparse-version={version}")
        for version in ("0.0", "0.1", "1.0")
    },
    "bsdtar": ("bsdtar", "--format=pax"),
    "bsdtar gnutar": ("bsdtar", "--format=gnutar"),
}


@pytest.fixture
def sparse_tree(tmp_path: Path) -> Path:
    """A tree with every file of DATA, and an ordinary one behind them."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, (size, places) in DATA.items():
        with open(tree / name, "wb") as stream:
            for place in places:
                stream.seek(place)
                stream.write(os.urandom(UNIT))
            stream.truncate(size)
    (tree / "zz").write_bytes(b"behind the others\n")
    for name in (*DATA, "zz"):
        os.utime(tree / name, (1_700_000_000, 1_700_000_000))
    return tree


@pytest.fixture(params=FORMS)
def sparse_archive(request: pytest.FixtureRequest, sparse_tree: Path) -> Path:
    """An archive of it. Names are sorted, as every file but the last is followed by others."""
    program, *options = FORMS[request.param]
    require_programs(program)
    archive = sparse_tree.parent / "sparse.tar"
    names = sorted(os.listdir(sparse_tree))
    command: list[str | Path] = [
        program,
        "-c",
        *options,
        "-f",
        archive,
        "-C",
        sparse_tree,
        "--",
        *names,
    ]
    subprocess.run(command, check=True)
    return archive


def test_a_sparse_file_has_all_its_bytes(sparse_archive: Path, sparse_tree: Path) -> None:
    seen, refusals = seen_by_us(sparse_archive.read_bytes())
    assert refusals == []
    assert seen == seen_on_disk(sparse_tree)


@pytest.mark.parametrize("sparse_archive", ["gnu", "pax 1.0", "bsdtar"], indirect=True)
def test_a_sparse_file_is_verified_printed_repacked_and_merged(
    sparse_archive: Path, sparse_tree: Path, tmp_path: Path
) -> None:
    expected = seen_on_disk(sparse_tree)
    verified = run_command("verify", sparse_archive)
    assert (verified.status, ": good: " in verified.output) == (0, True), verified
    printed = run_command("cat", sparse_archive, "a hole and nothing else", "zz")
    assert printed == Outcome(0, "\0" * 3000 + "behind the others\n", "")
    for name in ("packed.tar.xz", "packed.cpio.zst"):
        assert run_command("repack", sparse_archive, tmp_path / name) == Outcome(0, "", "")
        assert seen_by_us((tmp_path / name).read_bytes()) == (expected, [])
        assert run_command("verify", tmp_path / name).status == 0
    merged = tmp_path / "merged.tar.xz"
    inputs = [f"{name}={sparse_archive}" for name in ("a", "b")]
    assert run_command("merge", *inputs, "-o", merged) == Outcome(0, "", "")
    seen, _ = seen_by_us(merged.read_bytes())
    for path, file in expected.items():
        assert seen[b"a/" + path].content == seen[b"b/" + path].content == file.content


def test_a_file_that_is_not_sparse_must_have_all_its_bytes(tmp_path: Path) -> None:
    """A size that only star's extension states is no hole."""
    require_programs("tar")
    archive = tmp_path / "stated.tar"
    archive.write_bytes(
        forge.tar_pax(forge.pax_record(b"SCHILY.realsize", b"9000"))
        + forge.tar_file(b"f", b"content")
        + forge.tar_file(b"g", b"other")
        + forge.END
    )
    extracted = subprocess.run(
        ["tar", "-xOf", archive], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    seen, _ = seen_by_us(archive.read_bytes())
    assert extracted.stdout == seen[b"f"].content + seen[b"g"].content == b"contentother"
