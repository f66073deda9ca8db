"""What is decompressed when, and that readers get the right bytes however they ask."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from kheadersfs.archive.onepass import HELD_BLOCK_SIZE
from tests.support import golden
from tests.support.mounting import drop_caches, run_command

if TYPE_CHECKING:
    from tests.conftest import Mounting


READERS = 16


def test_nothing_is_decompressed_before_somebody_looks(
    mount: Mounting, reference_archive: Path
) -> None:
    mounted = mount(reference_archive)
    assert json.loads(run_command("status", "--json", mounted.path).output)["loaded"] is False
    status = mounted.status()
    assert (status["loaded"], status["blocks_decoded"]) == (False, 0)
    assert sum(status["requests"].values()) == 0
    assert (mounted / "include/linux/kconfig.h").is_file()
    assert mounted.status()["loaded"] is True


def test_prefetch_reads_the_archive_before_somebody_looks(
    mount: Mounting, reference_archive: Path
) -> None:
    mounted = mount(reference_archive, "--prefetch")
    # The first request waits until the thread that prefetches has the names.
    assert mounted.path.stat().st_ino == 1
    assert mounted.status()["loaded"] is True


def test_parallel_readers_in_random_order_get_the_right_bytes(
    mount: Mounting, reference_archive: Path, reference_description: golden.Description
) -> None:
    mounted = mount(reference_archive)
    files = [name for name, entry in reference_description.items() if entry.kind == "-"]

    def read_all(seed: int) -> list[bytes]:
        order = random.Random(seed).sample(files, len(files) // 4)
        return [
            name
            for name in order
            if golden.digest_of(os.path.join(os.fsencode(mounted.path), name))
            != reference_description[name].digest
        ]

    with ThreadPoolExecutor(READERS) as readers:
        assert [wrong for wrongs in readers.map(read_all, range(READERS)) for wrong in wrongs] == []


def test_a_block_is_decoded_once_however_many_wait_for_it(
    cold: None, mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    # Where it begins and ends in a block is not known, and one more may be decoded ahead.
    blocks = 300_000 // HELD_BLOCK_SIZE + 3
    # It is opened once: a build would be recognised by its opens, and given other blocks' headers.
    with open(mounted / "sizes/300000", "rb") as file, ThreadPoolExecutor(READERS) as readers:
        for decoded in range(0, 3 * blocks, blocks):
            drop_caches()
            pieces = readers.map(
                os.pread, [file.fileno()] * READERS, [300_000] * READERS, [0] * READERS
            )
            assert set(map(len, contents := list(pieces))) == {300_000}
            assert len(set(contents)) == 1
            # In a quiet moment between two rounds decoded blocks are let go.
            assert mounted.status()["blocks_decoded"] <= decoded + blocks


def test_parts_of_a_file_are_read_at_any_offset(
    cold: None, mount: Mounting, small_archive: Path, synthetic_tree: Path
) -> None:
    mounted = mount(small_archive)
    expected = (synthetic_tree / "sizes/300000").read_bytes()
    generator = random.Random(3)
    with open(mounted / "sizes/300000", "rb", buffering=0) as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(50):
            offset, size = generator.randrange(310_000), generator.randrange(20_000)
            assert os.pread(stream.fileno(), size, offset) == expected[offset : offset + size]
            drop_caches()


def test_a_small_cache_is_slow_but_right(
    cold: None,
    mount: Mounting,
    reference_archive: Path,
    reference_description: golden.Description,
) -> None:
    mounted = mount(reference_archive, "-o", "cache=1")
    below = mounted / "include/uapi"
    for path in below.rglob("*.h"):
        name = os.fsencode(path.relative_to(mounted.path))
        if not path.is_symlink():
            assert golden.digest_of(path) == reference_description[name].digest
    assert mounted.status()["held_decoded"] <= HELD_BLOCK_SIZE
