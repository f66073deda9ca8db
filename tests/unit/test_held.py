"""Blocks that are held compressed: released, they come back as they were or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.blocks.held import HeldBlocks
from kheadersfs.archive.compression import zstd_coding
from kheadersfs.errors import (
    DamagedArchive,
    KheadersfsError,
    RefusedArchive,
    UnreadableArchive,
    UnsupportedArchive,
)
from kheadersfs.store import Store
from tests.support.mounting import HANGS

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENTS = [bytes([number]) * (100 + number) for number in range(5)]


def held(contents: list[bytes]) -> HeldBlocks:
    stored = [zstd_coding.encode_frame(content, 1) for content in contents]
    return HeldBlocks("archive", stored, [len(content) for content in contents])


class Readings:
    """Counts how often the archive was read again, which *read* does."""

    def __init__(self, read: Callable[[], HeldBlocks]) -> None:
        self.count = 0
        self._read = read

    def __call__(self) -> HeldBlocks:
        self.count += 1
        return self._read()


def released(read: Callable[[], HeldBlocks]) -> tuple[HeldBlocks, Readings]:
    blocks, readings = held(CONTENTS), Readings(read)
    blocks.allow_release(readings)
    blocks.release()
    return blocks, readings


def fail(error: Exception) -> HeldBlocks:
    raise error


def test_released_blocks_take_no_memory_and_come_back_with_one_reading() -> None:
    blocks, readings = released(lambda: held(CONTENTS))
    assert blocks.held == 0
    assert readings.count == 0
    assert [blocks.decode(number) for number in range(len(blocks))] == CONTENTS
    assert blocks.held > 0
    assert readings.count == 1


def test_release_tells_how_much_it_was() -> None:
    blocks = held(CONTENTS)
    size = blocks.held
    blocks.allow_release(lambda: held(CONTENTS))
    assert blocks.release() == size
    assert blocks.release() == 0


def test_blocks_that_cannot_be_had_again_are_not_released() -> None:
    blocks = held(CONTENTS)
    assert blocks.release() == 0
    assert blocks.decode(2) == CONTENTS[2]


@pytest.mark.parametrize(
    "contents",
    [CONTENTS[:-1], [*CONTENTS, b"more"], [CONTENTS[1], CONTENTS[0], *CONTENTS[2:]]],
)
def test_other_blocks_than_before_are_an_error_and_stay_one(contents: list[bytes]) -> None:
    blocks, readings = released(lambda: held(contents))
    for number in (3, 0):
        with pytest.raises(DamagedArchive, match="was changed since it was mounted"):
            blocks.decode(number)
    assert readings.count == 1


@pytest.mark.parametrize("error", [DamagedArchive("cut off"), UnsupportedArchive("no archive")])
def test_an_archive_that_is_not_what_it_was_is_not_read_a_third_time(
    error: KheadersfsError,
) -> None:
    blocks, readings = released(lambda: fail(error))
    for _ in range(2):
        with pytest.raises(DamagedArchive):
            blocks.decode(1)
    assert readings.count == 1


@pytest.mark.parametrize(
    "error",
    [
        KheadersfsError("no thread"),
        MemoryError("no memory"),
        UnreadableArchive("no answer"),
        RefusedArchive("too slow today"),
    ],
)
def test_what_has_nothing_to_do_with_the_archive_is_tried_again(error: Exception) -> None:
    outcomes = iter((lambda: fail(error), lambda: held(CONTENTS)))
    blocks, readings = released(lambda: next(outcomes)())
    store = Store(blocks)
    with pytest.raises(type(error) if type(error) is not RefusedArchive else UnreadableArchive):
        store.decode(1)
    assert store.decode(1) == CONTENTS[1]
    assert readings.count == 2


def test_who_releases_does_not_wait_for_who_gets_them_back() -> None:
    reading, finish = threading.Event(), threading.Event()

    def read_slowly() -> HeldBlocks:
        reading.set()
        assert finish.wait(HANGS)
        return held(CONTENTS)

    blocks, _ = released(read_slowly)
    with ThreadPoolExecutor(1) as thread:
        decoded = thread.submit(blocks.decode, 3)
        assert reading.wait(HANGS)
        try:
            assert blocks.release() == 0
            assert not decoded.done()
        finally:
            finish.set()
        assert decoded.result() == CONTENTS[3]
