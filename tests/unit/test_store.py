"""Decoded blocks: held under a budget, decoded no more than needed, damaged for good."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.blocks.held import HeldBlocks
from kheadersfs.archive.compression import zstd_coding
from kheadersfs.errors import DamagedArchive
from kheadersfs.store import Store


def blocks_of(contents: list[bytes]) -> HeldBlocks:
    stored = [zstd_coding.encode_frame(content, 1) for content in contents]
    return HeldBlocks("archive", stored, [len(content) for content in contents])


CONTENTS = [bytes([number]) * 100 for number in range(10)]
STREAM = b"".join(CONTENTS)


def test_nothing_is_decoded_before_it_is_asked_for() -> None:
    store = Store(blocks_of(CONTENTS))
    assert store.counters == (10, 0, 0, 0)
    assert store.get(0, 100) is None
    assert store.missing(50, 200) == [0, 1, 2]
    assert store.counters.decoded == 0


@given(
    st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=8),
    st.integers(0, 400),
    st.integers(0, 400),
    st.integers(0, 200),
)
def test_any_extent_is_read_under_any_budget(
    contents: list[bytes], start: int, size: int, budget: int
) -> None:
    stream = b"".join(contents)
    store = Store(blocks_of(contents), budget)
    if start + size > len(stream):
        with pytest.raises(DamagedArchive, match="outside the archive"):
            store.read(start, size)
        return
    for _ in range(2):
        assert store.read(start, size) == stream[start : start + size]
    assert store.counters.held <= max(budget, max(map(len, contents)))


def test_a_block_is_decoded_once_while_it_is_held() -> None:
    store = Store(blocks_of(CONTENTS))
    for _ in range(5):
        assert store.read(0, 1000) == STREAM
    assert store.counters.decoded == 10
    assert store.counters.held == 1000


def test_what_was_not_used_for_longest_goes_first() -> None:
    store = Store(blocks_of(CONTENTS), budget=300)
    for number in (0, 1, 2, 0, 3):
        store.read(number * 100, 100)
    assert [number for number in range(10) if store.is_held(number)] == [0, 2, 3]


def test_the_block_decoded_last_is_held_whatever_its_size() -> None:
    store = Store(blocks_of(CONTENTS), budget=0)
    assert store.read(150, 100) == STREAM[150:250]
    assert store.counters.held == 100
    assert store.get(200, 100) == CONTENTS[2]


def test_no_more_blocks_are_read_ahead_than_can_be_held() -> None:
    for budget, expected in ((0, 0), (99, 0), (100, 1), (550, 5), (5000, 8)):
        assert Store(blocks_of(CONTENTS), budget).count_within_budget(8) == expected


def test_an_extent_of_nothing_needs_no_block() -> None:
    store = Store(blocks_of(CONTENTS))
    assert store.get(1000, 0) == b""
    assert store.read(0, 0) == b""
    assert store.missing(500, 0) == []
    assert store.counters.decoded == 0


@pytest.mark.parametrize(("start", "size"), [(1000, 1), (0, 1001), (-1, 1), (0, -1), (1 << 63, 1)])
def test_an_extent_outside_the_stream_is_damage(start: int, size: int) -> None:
    store = Store(blocks_of(CONTENTS))
    for question in (store.get, store.read, store.missing):
        with pytest.raises(DamagedArchive):
            question(start, size)


def test_dropping_gives_everything_back_and_loses_nothing() -> None:
    store = Store(blocks_of(CONTENTS))
    store.read(0, 1000)
    assert store.drop() == 1000
    assert store.counters.held == 0
    assert store.drop() == 0
    assert store.read(0, 1000) == STREAM


def test_the_first_blocks_alone_can_be_dropped() -> None:
    store = Store(blocks_of(CONTENTS))
    store.read(0, 1000)
    first = len(CONTENTS[0]) + len(CONTENTS[1])
    assert store.drop(2) == first
    assert store.counters.held == 1000 - first
    assert [store.is_held(number) for number in range(3)] == [False, False, True]
    assert store.drop(2) == 0
    assert store.read(0, 1000) == STREAM


class BrittleBlocks(HeldBlocks):
    """Blocks that count how often each is decoded; one of them is damaged."""

    def __init__(self, damaged: int) -> None:
        good = [zstd_coding.encode_frame(content, 1) for content in CONTENTS]
        good[damaged] = good[damaged][:-1] + b"\xff"
        super().__init__("archive", good, [len(content) for content in CONTENTS])
        self.decodings = [0] * len(CONTENTS)

    def decode(self, number: int) -> bytes:
        self.decodings[number] += 1
        return super().decode(number)


def test_a_damaged_block_is_tried_once_and_spoils_no_other() -> None:
    blocks = BrittleBlocks(damaged=4)
    store = Store(blocks)
    for _ in range(3):
        with pytest.raises(DamagedArchive, match="block 4 of 10"):
            store.read(350, 100)
    assert blocks.decodings[4] == 1
    assert store.counters.damaged == 1
    assert store.read(0, 400) == STREAM[:400]
    assert store.read(500, 500) == STREAM[500:]


def test_threads_read_right_bytes_under_a_small_budget() -> None:
    store = Store(blocks_of(CONTENTS), budget=250)

    def read(seed: int) -> bool:
        generator = random.Random(seed)
        for _ in range(300):
            start = generator.randrange(1000)
            size = generator.randrange(1001 - start)
            if store.read(start, size) != STREAM[start : start + size]:
                return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(8)))
    assert store.counters.held <= 250
    assert store.counters.held == sum(100 for number in range(10) if store.is_held(number))
