"""Which blocks are decoded, and how often, for what is asked for. No FUSE: a loop and a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.blocks.held import HeldBlocks
from kheadersfs.archive.compression.zstd_coding import encode_frame
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive
from kheadersfs.fuse.content import OPENS_OF_A_BUILD, ContentServer
from kheadersfs.fuse.loop import Loop
from kheadersfs.store import Store

if TYPE_CHECKING:
    from collections.abc import Coroutine

BLOCKS, SIZE = 8, 1000
CONTENT = [bytes([number]) * SIZE for number in range(BLOCKS)]


class Fixture:
    """A server of BLOCKS blocks of SIZE bytes; ``run`` runs coroutines on its loop to their end."""

    def __init__(self, hot_blocks: int = 0, budget: int = 1 << 20, damaged: int = -1) -> None:
        stored = [encode_frame(content, 1) for content in CONTENT]
        if damaged >= 0:
            stored[damaged] = stored[damaged][:-1] + bytes([stored[damaged][-1] ^ 1])
        self.store = Store(HeldBlocks("archive", stored, [SIZE] * BLOCKS), budget)
        self.loop = Loop(2, lambda: None)
        self.server = ContentServer(self.loop, self.store, hot_blocks, BytesSource(b"archive"))

    def run(self, *tasks: Coroutine[object, object, object]) -> None:
        for task in tasks:
            self.loop.start(task)
        self.loop.run(self._last())

    async def _last(self) -> None:
        """Wait until every job before this one has run: the first thread takes them in order."""
        await self.loop.run_in_thread(lambda: None)

    async def read(self, number: int) -> None:
        assert await self.server.read(number * SIZE, SIZE) == CONTENT[number]

    async def settle(self, expected: int) -> None:
        """Return when so many blocks were decoded: those ahead of need have no waiter."""
        while self.store.counters.decoded < expected:
            await self.loop.run_in_thread(lambda: None)


def test_reading_one_block_decodes_no_other() -> None:
    fixture = Fixture(hot_blocks=4)
    fixture.run(fixture.read(0))
    assert fixture.store.counters.decoded == 1


def test_a_block_is_decoded_once_for_all_who_wait_for_it() -> None:
    fixture = Fixture()
    fixture.run(*(fixture.read(5) for _ in range(50)))
    assert fixture.store.counters.decoded == 1


def test_what_is_decoded_is_not_decoded_again() -> None:
    fixture = Fixture()
    fixture.run(fixture.read(2))
    fixture.run(fixture.read(2))
    assert fixture.store.counters.decoded == 1


def test_the_third_file_opened_has_the_hot_blocks_decoded_ahead() -> None:
    fixture = Fixture(hot_blocks=4)

    async def build() -> None:
        for _ in range(OPENS_OF_A_BUILD):
            await fixture.server.read_opened(7 * SIZE, SIZE)
        await fixture.settle(5)

    fixture.run(build())
    assert fixture.store.missing(0, 4 * SIZE) == []
    assert fixture.store.counters.decoded == 5


def test_block_after_block_has_the_next_one_decoded_ahead() -> None:
    fixture = Fixture()

    async def copy() -> None:
        await fixture.read(3)
        await fixture.read(4)
        await fixture.settle(3)

    fixture.run(copy())
    assert fixture.store.is_held(5)
    assert fixture.store.counters.decoded == 3


def test_all_blocks_in_order_are_decoded_once_each() -> None:
    fixture = Fixture()

    async def copy() -> None:
        for number in range(BLOCKS):
            await fixture.read(number)

    fixture.run(copy())
    assert fixture.store.counters.decoded == BLOCKS


def test_a_budget_below_one_request_still_serves_it() -> None:
    fixture = Fixture(budget=SIZE)

    async def read_all() -> None:
        assert await fixture.server.read(0, BLOCKS * SIZE) == b"".join(CONTENT)

    fixture.run(read_all())


def test_a_damaged_block_is_an_error_for_all_who_wait_and_harms_no_other() -> None:
    fixture = Fixture(damaged=3)
    failures: list[str] = []

    async def expect_damage() -> None:
        with pytest.raises(DamagedArchive, match="block 3 of 8") as caught:
            await fixture.server.read(3 * SIZE, SIZE)
        failures.append(str(caught.value))

    fixture.run(expect_damage(), expect_damage(), fixture.read(2))
    assert len(failures) == 2
