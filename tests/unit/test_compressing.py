"""Blocks are the same bytes before and after they are compressed, whoever does it and when."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from kheadersfs.archive.blocks import compressing
from kheadersfs.archive.blocks.compressing import BlockCompressor
from kheadersfs.archive.blocks.held import COMPRESSED_AT_ONCE, HeldBlocks, Uncompressed
from kheadersfs.archive.compression.decoding import Pieces
from tests.support.mounting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENTS = [bytes([number]) * 5000 for number in range(9)]


def contents_of(blocks: HeldBlocks) -> list[bytes]:
    return [blocks.decode(number) for number in range(len(blocks))]


def compressed(contents: list[bytes]) -> tuple[HeldBlocks, int]:
    """Return what a compressor makes of *contents*, when all is compressed, and its ``held``."""
    with closing(BlockCompressor()) as compressor:
        for content in contents:
            compressor.put(content)
        blocks = compressor.blocks("archive")
        blocks.frames()
        return blocks, compressor.held


def test_what_waited_is_compressed_in_the_end() -> None:
    blocks, held = compressed(CONTENTS)
    assert contents_of(blocks) == CONTENTS
    assert blocks.held < 5000
    assert held == 0


def test_one_at_a_time_is_compressed_while_something_else_is_awaited() -> None:
    with closing(BlockCompressor()) as compressor:
        assert not compressor.work()
        compressor.put(CONTENTS[0])
        compressor.put(CONTENTS[1])
        assert compressor.work()
        assert 0 < compressor.held < 5000
        assert compressor.work()
        assert not compressor.work()
        assert contents_of(compressor.blocks("archive")) == CONTENTS[:2]


def test_threads_compress_what_is_more_than_may_wait() -> None:
    many = CONTENTS * (compressing.BACKLOG // len(CONTENTS) + 20)
    blocks, held = compressed(many)
    assert contents_of(blocks) == many
    assert 0 < held < blocks.held


def test_a_block_is_served_before_it_is_compressed() -> None:
    with closing(BlockCompressor()) as compressor:
        for content in CONTENTS:
            compressor.put(content)
        blocks = compressor.blocks("archive")
        assert not compressor.work()
    assert blocks.held == sum(map(len, CONTENTS))
    assert contents_of(blocks) == CONTENTS


def test_some_at_a_time_are_compressed_until_all_are() -> None:
    many = CONTENTS * (2 * COMPRESSED_AT_ONCE // len(CONTENTS) + 1)
    with closing(BlockCompressor()) as compressor:
        for content in many:
            compressor.put(content)
        blocks = compressor.blocks("archive")
    sizes = [blocks.held]
    while blocks.compress_some():
        assert contents_of(blocks) == many
        sizes.append(blocks.held)
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)
    assert blocks.held < 100 * len(many)
    assert not blocks.compress_some()


def test_nothing_is_released_before_all_is_compressed() -> None:
    """By its compressed bytes it is told later whether the archive is the same."""
    blocks, _ = compressed(CONTENTS)
    stored = [Uncompressed(CONTENTS[0]), *(blocks.stored(number) for number in range(1, 9))]
    partly = HeldBlocks("archive", stored, [len(content) for content in CONTENTS], waiting=[0])
    partly.allow_release(lambda: blocks)
    assert partly.release() == 0
    assert not partly.compress_some()
    assert partly.release() == blocks.held


def test_blocks_come_back_from_a_pass_that_has_not_compressed_them() -> None:
    blocks, _ = compressed(CONTENTS)

    def again() -> HeldBlocks:
        with closing(BlockCompressor()) as compressor:
            for content in CONTENTS:
                compressor.put(content)
            return compressor.blocks("archive")

    blocks.allow_release(again)
    assert blocks.release()
    assert contents_of(blocks) == CONTENTS


def test_a_reader_has_something_to_do_while_a_piece_is_decoded() -> None:
    """The piece is not there before it was done, so it was done meanwhile."""
    done = threading.Event()

    def pieces() -> Iterator[bytes]:
        assert done.wait(PATIENCE)
        yield b"piece"

    def work() -> bool:
        done.set()
        return False

    with closing(Pieces("archive", pieces())) as stream:
        stream.meanwhile = work
        assert stream.available(0, 100) == len(b"piece")
