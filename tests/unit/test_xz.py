"""The framing of .xz files, against liblzma and against lies."""

from __future__ import annotations

import lzma
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive import xz, xz_coding
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, UnsupportedArchive

PRESET = 1

contents = st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=5)


def write_stream(blocks: list[bytes]) -> bytes:
    encoded = [xz_coding.encode_block(block, PRESET) for block in blocks]
    records = [(block.unpadded_size, block.decoded_size) for block in encoded]
    stored = (block.stored for block in encoded)
    return b"".join([xz.stream_start(), *stored, xz.stream_end(records)])


def read_stream(stream: bytes) -> list[bytes]:
    """Return what each block of *stream* decodes to. Raises DamagedArchive or ValueError."""
    source = BytesSource(stream)
    return [
        xz_coding.decode_block(source.read_at(block.offset, block.stored_size), block)
        for block in xz.read_blocks(source)
    ]


def read_in_pieces(stream: bytes, piece_size: int) -> list[bytes]:
    source = BytesSource(stream)
    decoded = []
    for block in xz.read_blocks(source):
        stored = source.read_at(block.offset, block.stored_size)
        chunks = (stored[i : i + 7] for i in range(0, len(stored), 7))
        decoded.append(b"".join(xz_coding.decode_pieces(chunks, block, piece_size)))
    return decoded


@given(contents)
def test_liblzma_reads_what_we_write_and_we_read_it_block_by_block(blocks: list[bytes]) -> None:
    stream = write_stream(blocks)
    assert lzma.decompress(stream) == b"".join(blocks)
    assert read_stream(stream) == blocks
    assert read_in_pieces(stream, 100) == blocks


@given(contents, contents, st.integers(0, 3))
def test_streams_one_behind_the_other_are_read_as_one(
    first: list[bytes], second: list[bytes], padding: int
) -> None:
    stream = write_stream(first) + bytes(4 * padding) + write_stream(second) + bytes(4 * padding)
    assert read_stream(stream) == first + second


@given(st.binary(max_size=3000), st.sampled_from(sorted(xz.CHECK_NAMES)))
def test_we_read_what_liblzma_writes_with_any_check(content: bytes, check: int) -> None:
    stream = lzma.compress(content, lzma.FORMAT_XZ, check)
    assert b"".join(read_stream(stream)) == content


def test_block_headers_state_both_sizes() -> None:
    block = xz_coding.encode_block(b"x" * 1000, PRESET)
    assert block.stored[1] & 0xC0 == 0xC0
    assert block.decoded_size == 1000
    assert len(block.stored) % 4 == 0
    assert block.unpadded_size <= len(block.stored) < block.unpadded_size + 4


@given(st.integers(0, 2**63 - 1), st.binary(max_size=5), st.binary(max_size=5))
def test_integers_of_variable_length_round_trip(value: int, before: bytes, after: bytes) -> None:
    encoded = xz.encode_vli(value)
    assert xz.decode_vli(before + encoded + after, len(before)) == (
        value,
        len(before) + len(encoded),
    )


@pytest.mark.parametrize(
    "encoded", [b"", b"\x80", b"\x80\x00", b"\x81\x80\x00", b"\x80" * 9 + b"\1"]
)
def test_integers_that_are_cut_off_overlong_or_too_long_are_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError):
        xz.decode_vli(encoded, 0)


SAMPLE = [b"first block " * 20, b"second block " * 30, b"third"]


def test_every_altered_byte_is_noticed() -> None:
    stream = write_stream(SAMPLE)
    for position in range(len(stream)):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(stream)
            altered[position] ^= change
            with pytest.raises((DamagedArchive, UnsupportedArchive, ValueError)):
                read_stream(bytes(altered))
                pytest.fail(f"byte {position} altered by {change}")


def test_every_truncation_is_noticed() -> None:
    stream = write_stream(SAMPLE)
    for length in range(1, len(stream)):
        with pytest.raises(DamagedArchive):
            xz.read_blocks(BytesSource(stream[:length]))


def test_a_block_that_decodes_to_more_or_less_than_announced_is_refused() -> None:
    source = BytesSource(write_stream([b"content " * 100]))
    [block] = xz.read_blocks(source)
    stored = source.read_at(block.offset, block.stored_size)
    for size in (0, 1, block.decoded_size - 1, block.decoded_size + 1, 1 << 40):
        with pytest.raises(ValueError):
            xz_coding.decode_block(stored, block._replace(decoded_size=size))
        with pytest.raises(ValueError):
            list(xz_coding.decode_pieces([stored], block._replace(decoded_size=size), 64))


def test_a_bomb_is_not_unpacked_beyond_what_it_announces() -> None:
    stream = lzma.compress(bytes(64 << 20), lzma.FORMAT_XZ, preset=0)
    source = BytesSource(stream)
    [block] = xz.read_blocks(source)
    with pytest.raises(ValueError, match="does not decode to 1000 bytes"):
        xz_coding.decode_block(
            source.read_at(block.offset, block.stored_size), block._replace(decoded_size=1000)
        )


def test_no_piece_of_a_bomb_comes_beyond_what_it_announces() -> None:
    """Whoever collects the pieces would hold all of it before the end shows the lie."""
    source = BytesSource(lzma.compress(bytes(16 << 20), lzma.FORMAT_XZ, preset=0))
    [block] = xz.read_blocks(source)
    stored = source.read_at(block.offset, block.stored_size)
    pieces = xz_coding.decode_pieces([stored], block._replace(decoded_size=2500), 1000)
    assert [len(next(pieces)) for _ in range(2)] == [1000, 1000]
    with pytest.raises(ValueError, match="more than 2500 bytes"):
        next(pieces)


def test_an_unknown_kind_of_check_is_not_supported() -> None:
    stream = bytearray(lzma.compress(b"content", lzma.FORMAT_XZ))
    stream[-3] = 2
    stream[-12:-8] = zlib.crc32(bytes(stream[-8:-2])).to_bytes(4, "little")
    with pytest.raises(UnsupportedArchive, match="check"):
        xz.read_blocks(BytesSource(bytes(stream)))


sizes_of_plain_blocks = st.sampled_from([1, 2, 3, 4, 65_535, 65_536, 65_537, 200_000])


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


def test_padding_is_limited_for_all_streams_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "PADDING_LIMIT", 1000)
    stream = write_stream([b"content"])
    allowed = (stream + bytes(480)) * 2
    assert read_stream(allowed) == [b"content"] * 2
    with pytest.raises(UnsupportedArchive, match="more than 1000 zero bytes"):
        read_stream((stream + bytes(600)) * 2)


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
    other_filter = bytearray(plain.stored)
    other_filter[plain.stored.index(b"\x21\x01\x00")] = 0x03  # delta
    assert xz.plain_content(bytes(other_filter), block) is None
