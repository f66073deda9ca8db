"""Blocks of .xz files that have their content as it is."""

from __future__ import annotations

import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.compression import xz, xz_coding
from kheadersfs.archive.source import BytesSource

sizes_of_plain_blocks = st.sampled_from([1, 2, 3, 4, 65_535, 65_536, 65_537, 200_000])

PRESET = 1


@given(sizes_of_plain_blocks, st.integers(0, 255))
def test_a_plain_block_is_read_by_liblzma_and_without_it(size: int, filling: int) -> None:
    content = bytes([filling]) * size
    block = xz_coding.encode_plain_block(content)
    stream = (
        xz.stream_start()
        + block.stored
        + xz.stream_end([(block.unpadded_size, block.decoded_size)])
    )
    assert lzma.decompress(stream) == content
    [found] = xz.read_blocks(BytesSource(stream))
    assert xz.plain_content(block.stored, found) == content


def test_what_is_compressed_or_cut_off_is_not_taken_for_plain() -> None:
    compressed, plain = (
        encode(b"text " * 1000)
        for encode in (
            lambda content: xz_coding.encode_block(content, PRESET),
            xz_coding.encode_plain_block,
        )
    )
    for encoded in (compressed, plain):
        stream = xz.stream_start() + encoded.stored
        stream += xz.stream_end([(encoded.unpadded_size, encoded.decoded_size)])
        [block] = xz.read_blocks(BytesSource(stream))
        data_size = len(encoded.stored) if encoded is compressed else 5000
        for length in range(0, data_size, 7):
            assert xz.plain_content(encoded.stored[:length], block) is None
    for control in range(3, 0x100):
        other_chunk = bytearray(plain.stored)
        other_chunk[(plain.stored[0] + 1) * 4] = control
        assert xz.plain_content(bytes(other_chunk), block) is None
    other_filter = bytearray(plain.stored)
    other_filter[plain.stored.index(b"\x21\x01\x00")] = 0x03  # delta
    assert xz.plain_content(bytes(other_filter), block) is None


@pytest.mark.parametrize("sizes", [b"\x00", b"\x40\x05", b"\x80\x05", b"\xc0\x05\x05"])
def test_a_plain_block_may_state_either_size_and_has_one_filter(sizes: bytes) -> None:
    encoded = xz_coding.encode_plain_block(b"content")
    body = encoded.stored[(encoded.stored[0] + 1) * 4 :]
    block = xz.XzBlock(0, encoded.unpadded_size, len(b"content"), xz.CHECK_CRC64)

    def stored(fields: bytes) -> bytes:
        return (b"\x03" + fields + b"\x21\x01\x00").ljust(16, b"\0") + body

    assert xz.plain_content(stored(sizes), block) == b"content"
    for filters in (1, 2, 3):
        more = bytes((sizes[0] | filters,)) + sizes[1:]
        assert xz.plain_content(stored(more), block) is None
