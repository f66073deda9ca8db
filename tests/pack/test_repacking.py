"""Any archive as a packed one, and several as one: nothing is lost on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.verification import verify
from tests.support import golden, synthetic
from tests.support.mounting import Outcome, one_line, run_command

if TYPE_CHECKING:
    from tests.pack.conftest import SmallTree


WHOLE_SECONDS = ("newc", "crc", "odc", "gnu", "gnu-padded", "oldgnu-sparse", "gnu-sparse", "ustar")
"""Forms whose times cpio can hold too."""
PAIRS = [
    *((form.name, ".tar.xz") for form in synthetic.FORMS),
    *((name, ".cpio.xz") for name in WHOLE_SECONDS),
    *(("gnu", suffix) for suffix in (".tar", ".tar.gz", ".tar.zst", ".cpio", ".cpio.zst")),
]


def repack(archive: Path, output: Path, *options: str) -> None:
    assert run_command("repack", *options, archive, output) == Outcome(0, "", "")


def test_the_output_may_be_named_as_for_pack_and_merge(small_archive: Path, tmp_path: Path) -> None:
    repack(small_archive, tmp_path / "old.tar.xz")
    for words in ((small_archive, "-o"), ("--output",)):
        output = tmp_path / "new.tar.xz"
        rest = () if small_archive in words else (small_archive,)
        assert run_command("repack", *words, output, *rest) == Outcome(0, "", "")
        assert output.read_bytes() == (tmp_path / "old.tar.xz").read_bytes()
        output.unlink()


def test_an_output_that_is_named_twice_or_not_at_all_is_a_matter_of_usage(tmp_path: Path) -> None:
    for words, message in ((("out.tar.xz", "-o", "new.tar.xz"), "already"), ((), "-o OUT")):
        outcome = run_command("repack", tmp_path / "in.tar", *words)
        assert (outcome.status, message in one_line(outcome)) == (2, True)


def entries(archive: Path) -> dict[str, tuple[object, ...]]:
    """Return what the Python interface says of every entry of *archive*, and its content.

    Of several names of one file each has the first one instead of its inode number.
    """
    first_names: dict[int, str] = {}
    with kheadersfs.open_archive(archive) as opened:
        root = opened.tree.attributes(1)
        found: dict[str, tuple[object, ...]] = {".": (root.mode, root.mtime)}
        for entry in opened:
            first = first_names.setdefault(entry.inode, entry.path)
            content = opened.read(entry.path) if entry.is_file else b""
            found[entry.path] = (*entry._replace(inode=0), first, content)
    return found


@pytest.fixture(scope="module")
def originals(synthetic_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The synthetic tree in every form, by its name."""
    if missing := synthetic.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    directory = tmp_path_factory.mktemp("originals")
    for form in synthetic.FORMS:
        synthetic.write_archive(form, synthetic_tree, directory / form.name)
    return {form.name: directory / form.name for form in synthetic.FORMS}


@pytest.mark.parametrize(("name", "suffix"), PAIRS)
def test_nothing_is_lost(
    name: str, suffix: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    packed = tmp_path / f"packed{suffix}"
    repack(originals[name], packed)
    assert entries(packed) == entries(originals[name])
    with kheadersfs.open_archive(packed) as opened:
        assert opened.content.indexed == suffix.endswith(("xz", "zst"))
        verify(opened, lambda _done, _total: None)


def hot_files(archive: Path) -> set[str]:
    """Return the names of the files in the archive's hot blocks."""
    with kheadersfs.open_archive(archive) as opened:
        end = opened.content.blocks.starts[opened.content.hot_blocks]
        tree = opened.tree
        files = [entry.path for entry in opened if entry.is_file]
        starts = [tree.extent(tree.resolve(os.fsencode(name)))[0] for name in files]
        return {name for name, start in zip(files, starts, strict=True) if start <= end}


@pytest.mark.parametrize("suffix", [".tar.xz", ".tar.zst"])
def test_a_packed_archive_is_repacked_with_the_same_files_in_front(
    suffix: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    """Their order within a block is by name, so the cuts between these blocks may move."""
    packed, again = tmp_path / f"packed{suffix}", tmp_path / f"again{suffix}"
    repack(originals["gnu"], packed)
    repack(packed, again)
    assert entries(again) == entries(packed)
    assert hot_files(again) == hot_files(packed)
    assert len(hot_files(packed)) > 1


def test_what_cpio_cannot_hold_is_an_error(originals: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "out.cpio.xz"
    outcome = run_command("repack", originals["pax"], output)
    assert (outcome.status, outcome.output) == (1, "")
    assert "has a size or a time that cpio cannot hold; use tar" in outcome.errors
    assert not output.exists()


@pytest.mark.parametrize("name", ["pax", "gnu"])
def test_gnu_tar_extracts_the_same_from_both(
    name: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    packed = tmp_path / "packed.tar.xz"
    repack(originals[name], packed)
    trees = []
    for source in (originals[name], packed):
        tree = tmp_path / f"{source.name}-tree"
        golden.extract_with_tar(source, tree)
        description = golden.describe(tree)
        # A directory that is written to again after tar has set its time gets a new one.
        trees.append(
            {
                path: described._replace(mtime=0) if described.kind == "d" else described
                for path, described in description.items()
            }
        )
    assert golden.differences(trees[1], trees[0]) == []


def test_gnu_cpio_extracts_hard_links_and_symlinks(
    synthetic_tree: Path, originals: dict[str, Path], tmp_path: Path
) -> None:
    packed = tmp_path / "packed.cpio"
    repack(originals["newc"], packed)
    trees = []
    for source in (originals["newc"], packed):
        tree = tmp_path / f"{source.name}-tree"
        golden.extract_with_cpio(source, tree)
        trees.append(golden.with_times_from(synthetic_tree, golden.describe(tree)))
    assert golden.differences(trees[1], trees[0]) == []


def test_the_reference_archive_stays_the_same(reference_archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.tar.zst"
    repack(reference_archive, packed)
    assert entries(packed) == entries(reference_archive)
    with kheadersfs.open_archive(packed) as opened:
        assert opened.content.indexed
        assert opened.content.release
        assert opened.content.arch


def test_an_archive_with_something_unsafe_is_not_repacked(tmp_path: Path) -> None:
    archive, output = tmp_path / "archive.tar", tmp_path / "out.tar.xz"
    (tmp_path / "file").write_text("content")
    subprocess.run(
        ["tar", "-cPf", archive, "--transform", "s:^:../:", "file"], check=True, cwd=tmp_path
    )
    outcome = run_command("repack", archive, output)
    assert outcome.status == 14
    assert "a name with .. in it, so it cannot be packed" in outcome.errors
    assert outcome.errors.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize("seconds", [16_725_225_600, -12_219_292_800])
def test_a_time_that_cannot_be_held_is_not_changed(seconds: int, tmp_path: Path) -> None:
    archive, output = tmp_path / "archive.tar", tmp_path / "out.tar.xz"
    member = tarfile.TarInfo("a.h")
    member.mtime = seconds
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(member)
    for words in (("repack", archive, output), ("merge", f"a={archive}", "-o", output)):
        outcome = run_command(*words)
        assert outcome.status == 14
        assert "a.h has a time more than 292 years from 1970" in one_line(outcome)
        assert not output.exists()


def test_an_archive_may_be_repacked_over_itself(small_tree: SmallTree, tmp_path: Path) -> None:
    archive = tmp_path / "kheaders.tar"
    assert run_command("pack", "--srctree", small_tree(), "-o", archive).status == 0
    before = entries(archive)
    repack(archive, archive, "--compress", "xz")
    assert entries(archive) == before
    assert archive.read_bytes().startswith(b"\xfd7zXZ\0")


@pytest.mark.skipif(shutil.which("xz") is None, reason="not installed: xz")
def test_a_damaged_archive_is_not_repacked(reference_archive: Path, tmp_path: Path) -> None:
    damaged, output = tmp_path / "damaged.tar.xz", tmp_path / "out.tar.xz"
    content = bytearray(reference_archive.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    outcome = run_command("repack", damaged, output)
    assert outcome.status == 13
    assert not output.exists()
