"""The Python interface, held against what tar extracts."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.archive.onepass import HELD_BLOCK_SIZE
from kheadersfs.errors import NotInArchive
from tests.support import golden
from tests.support.mounting import Outcome, run_command

if TYPE_CHECKING:
    from pathlib import Path


def as_described(archive: kheadersfs.HeaderArchive) -> golden.Description:
    """Return what *archive* says, in the words that describe a directory tree."""
    first_of_inode: dict[int, bytes] = {}
    entries = {os.fsencode(entry.path): entry for entry in archive}
    described = {}
    for name, entry in sorted(entries.items()):
        content = archive.read(entry.path) if entry.is_file else b""
        described[name] = golden.Described(
            kind=stat.filemode(entry.mode)[0],
            permissions=stat.S_IMODE(entry.mode),
            size=entry.size if entry.is_file or entry.target is not None else 0,
            mtime=entry.mtime,
            links=entry.links,
            target=os.fsencode(entry.target or ""),
            digest=hashlib.sha256(content).hexdigest() if entry.is_file else "",
            same_as=first_of_inode.setdefault(entry.inode, name),
        )
    return described


def test_the_python_interface_shows_what_tar_extracts(
    reference_archive: Path, reference_description: golden.Description
) -> None:
    expected = {name: entry for name, entry in reference_description.items() if name != b"."}
    with kheadersfs.open_archive(reference_archive) as archive:
        assert golden.differences(as_described(archive), expected) == []


def test_an_empty_block_is_not_the_end_of_an_archive(tmp_path: Path) -> None:
    """As cat makes one of several compressed files, of which one was empty."""
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(os.urandom(600))
    plain = subprocess.run(
        ["tar", "-cf", "-", "-C", tmp_path, "first", "second"], check=True, capture_output=True
    ).stdout
    pieces = (plain[:1536], b"", b"", plain[1536:], b"")
    for compress in (["zstd", "-q", "-c"], ["xz", "-c"]):
        archive = tmp_path / "archive"
        archive.write_bytes(
            b"".join(
                subprocess.run(compress, input=piece, check=True, capture_output=True).stdout
                for piece in pieces
            )
        )
        assert run_command("ls", archive) == Outcome(0, "first\nsecond\n", "")


def test_a_header_that_is_too_large_to_be_one_names_no_kernel(tmp_path: Path) -> None:
    header = tmp_path / "include/generated/utsrelease.h"
    header.parent.mkdir(parents=True)
    for padding, release in ((10, "6.1.0"), (2 << 20, None)):
        header.write_text("\n" * padding + '#define UTS_RELEASE "6.1.0"\n')
        archive = tmp_path / "archive.tar"
        subprocess.run(["tar", "-cf", archive, "-C", tmp_path, "include"], check=True)
        assert json.loads(run_command("info", "--json", archive).output)["release"] == release


def test_the_python_interface_shows_the_awkward_too(
    small_archive: Path, synthetic_tree: Path
) -> None:
    expected = golden.describe(synthetic_tree)
    del expected[b"."]
    with kheadersfs.open_archive(small_archive) as archive:
        assert golden.differences(as_described(archive), expected) == []


def test_directories_come_before_their_content_and_names_in_order(small_archive: Path) -> None:
    seen: set[str] = set()
    with kheadersfs.open_archive(small_archive) as archive:
        for entry in archive:
            parent = os.path.dirname(entry.path)
            assert not parent or parent in seen
            seen.add(entry.path)
        below = [entry.path for entry in archive.below("modes")]
    assert below[0] == "modes"
    assert below[1:] == sorted(below[1:])


def test_one_entry_is_found_by_its_path(small_archive: Path) -> None:
    with kheadersfs.open_archive(small_archive) as archive:
        assert archive.entry("sizes/513").size == 513
        assert archive.entry("./sizes//513").size == 513
        assert archive.entry("links/dangling").target == "nowhere"
        for path in ("absent", "sizes/513/below", "links/directory/linux", "../sizes"):
            for look in (archive.entry, archive.read, lambda name: list(archive.below(name))):
                with pytest.raises(NotInArchive, match="is not in"):
                    look(path)
        for path, message in (
            ("sizes", "is a directory; kheadersfs ls shows"),
            ("links/dangling", "is a symlink to .*; read that"),
        ):
            with pytest.raises(kheadersfs.KheadersfsError, match=message):
                archive.read(path)


def test_a_small_budget_changes_nothing_but_the_memory(
    small_archive: Path, synthetic_tree: Path
) -> None:
    with kheadersfs.open_archive(small_archive, budget=1) as archive:
        for size in (300_000, 0, 262_144, 1):
            path = f"sizes/{size}"
            assert archive.read(path) == (synthetic_tree / path).read_bytes()
        assert archive.store.counters.held <= HELD_BLOCK_SIZE


def test_release_and_arch_come_from_the_headers(reference_archive: Path) -> None:
    with kheadersfs.open_archive(reference_archive) as archive:
        utsrelease = archive.read("include/generated/utsrelease.h").decode()
        assert f'"{archive.release}"' in utsrelease
        # The sources have one directory for every architecture, a packed archive has one.
        assert archive.entry(f"arch/{archive.arch}/include/asm").mode
