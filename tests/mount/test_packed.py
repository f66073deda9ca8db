"""Packed archives when mounted: the same tree, read block by block, damaged block by block."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from kheadersfs.archive.opening import open_archive
from tests.support import golden
from tests.support.mounting import Outcome, drop_caches, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mounting

FORMS = {
    "tar.xz": ("--format=tar", "--compress=xz"),
    "tar.zst": ("--format=tar", "--compress=zstd"),
    "cpio.zst": ("--format=cpio", "--compress=zstd"),
}


@pytest.fixture(scope="module", params=FORMS)
def packed_archive(
    request: pytest.FixtureRequest,
    reference_archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The reference archive, repacked in blocks and with an index."""
    archive = tmp_path_factory.mktemp("packed") / f"packed.{request.param}"
    outcome = run_command("repack", *FORMS[request.param], reference_archive, archive)
    assert outcome == Outcome(0, "", "")
    return archive


def test_a_packed_archive_is_mounted_as_the_original_was(
    cold: None,
    mount: Mounting,
    packed_archive: Path,
    reference_description: golden.Description,
) -> None:
    mounted = mount(packed_archive)
    assert golden.differences(golden.describe(mounted.path), reference_description) == []
    drop_caches()
    assert golden.differences(golden.describe(mounted.path), reference_description) == []
    golden.check_block_counts(mounted.path)


def figures(status: dict[str, Any]) -> tuple[bool, int]:
    return status["indexed"], status["blocks_decoded"]


def test_listing_decodes_nothing_and_one_file_its_own_block(
    mount: Mounting, packed_archive: Path, reference_description: golden.Description
) -> None:
    mounted = mount(packed_archive)
    for directory, _, files in os.walk(os.fsencode(mounted.path)):
        for name in files:
            os.lstat(os.path.join(directory, name))
    assert figures(mounted.status()) == (True, 0)
    path = "include/linux/sched.h"
    assert golden.digest_of(mounted / path) == reference_description[path.encode()].digest
    assert figures(mounted.status()) == (True, 1)


def test_a_damaged_block_spoils_its_own_files_and_no_others(
    mount: Mounting,
    packed_archive: Path,
    reference_description: golden.Description,
    tmp_path: Path,
) -> None:
    with open(packed_archive, "rb") as stream:
        content = bytearray(stream.read())
    number = damage_a_block(content, packed_archive)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content)
    mounted = mount(damaged)
    mounted.accept(f"ERROR: .*damaged: block {number} of [0-9]+ is damaged")
    spoilt = 0
    for name, entry in reference_description.items():
        path = os.path.join(os.fsencode(mounted.path), name)
        if entry.kind == "-":
            try:
                assert golden.digest_of(path) == entry.digest
            except OSError as error:
                assert error.errno == errno.EIO
                spoilt += 1
    assert 0 < spoilt < len(reference_description) // 2
    # However many files lie in it, a block is reported once.
    assert len(mounted.messages()) == 1
    assert mounted.status()["blocks_damaged"] == 1


def damage_a_block(content: bytearray, archive: Path) -> int:
    """Alter a byte in the middle of one of the blocks of *content*. Returns the block's number."""
    opened = open_archive(str(archive))
    try:
        assert opened.blocks is not None
        number = len(opened.blocks) // 2
        stored = opened.blocks.stored(number)
        position = content.index(stored) + len(stored) // 2
        content[position] ^= 1
    finally:
        opened.close()
    return number


def test_a_damaged_index_is_done_without_and_the_log_says_so(
    mount: Mounting,
    packed_archive: Path,
    reference_description: golden.Description,
    tmp_path: Path,
) -> None:
    content = bytearray(packed_archive.read_bytes())
    opened = open_archive(str(packed_archive))
    assert opened.blocks is not None
    last = opened.blocks.stored(len(opened.blocks) - 1)
    opened.close()
    content[content.rindex(last) + len(last) // 2] ^= 1
    archive = tmp_path / "damaged"
    archive.write_bytes(content)
    mounted = mount(archive)
    mounted.accept("WARNING: .*its index cannot be used")
    # Every member comes before the index, so nothing can be missing.
    assert golden.differences(golden.describe(mounted.path), reference_description) == []
    assert not (mounted / "absent").exists()
    assert mounted.status()["indexed"] is False
    assert len(mounted.messages()) == 1
