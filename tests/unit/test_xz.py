"""The framing of .xz files, against liblzma and against lies."""

from __future__ import annotations

import lzma
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kheadersfs.archive.compression import xz, xz_coding
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, RefusedArchive, UnsupportedArchive
from kheadersfs.limits import Limits

PRESET = 1

CHECKS = [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256]
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


@given(st.binary(max_size=3000), st.sampled_from(CHECKS))
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
@example(0x7F, b"", b"")
@example(0x80, b"", b"")
@example(2**63 - 1, b"", b"")
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


def with_index(body: bytes, stored: bytes = b"") -> bytes:
    """A stream whose index is *body* with the right checksum, and whose footer fits it."""
    index = body + zlib.crc32(body).to_bytes(4, "little")
    return xz.stream_start() + stored + index + xz.stream_footer(len(index), xz.CHECK_CRC64)


INDEXES = {
    "of another kind": (b"\1\0\0\0", "no xz index"),
    "of nothing": (b"", "no xz index"),
    "of more blocks than it has room for": (b"\0\3\x05\0", "claims 3 blocks in 4 bytes"),
    "of a block without room for a header": (b"\0\1\4\0", "without room for a header"),
    "with padding that is none": (b"\0\0\0\1", "stray bytes"),
    "with more padding than it needs": (b"\0\0\0\0" * 2, "stray bytes"),
    "of blocks that are not there": (b"\0\1\5\0", "does not fit the file"),
}


@pytest.mark.parametrize("index", INDEXES)
def test_an_index_that_lies_is_refused(index: str) -> None:
    body, message = INDEXES[index]
    assert xz.read_blocks(BytesSource(with_index(b"\0\0\0\0"))) == []
    with pytest.raises(DamagedArchive, match=message):
        xz.read_blocks(BytesSource(with_index(body)))


def test_records_do_not_reach_into_the_checksum_of_an_index() -> None:
    for number in range(0x80, 0x100):
        body = bytes((0, 1, 8, number))
        with pytest.raises(DamagedArchive, match="cut off"):
            xz.read_blocks(BytesSource(with_index(body, bytes(8))))


def test_blocks_of_the_smallest_size_have_room() -> None:
    [block] = xz.read_blocks(BytesSource(with_index(b"\0\1\5\x7f", bytes(8))))
    assert (block.offset, block.unpadded_size, block.stored_size) == (xz.HEADER_SIZE, 5, 8)
    assert (block.decoded_size, block.check) == (0x7F, xz.CHECK_CRC64)


def test_a_file_too_short_for_a_stream_is_refused() -> None:
    for length in range(1, xz.HEADER_SIZE + xz.FOOTER_SIZE):
        with pytest.raises(DamagedArchive, match="too short"):
            xz.read_blocks(BytesSource(bytes(length - 1) + b"Z"))


def test_a_footer_points_to_an_index_within_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = with_index(b"\0\0\0\0")
    for size in (len(stream) - 20, len(stream), 1 << 30):
        footer = xz.stream_footer(size, xz.CHECK_CRC64)
        with pytest.raises(DamagedArchive, match="points outside the file"):
            xz.read_blocks(BytesSource(stream[:-12] + footer))
    monkeypatch.setattr(xz, "INDEX_SIZE_LIMIT", 8)
    assert xz.read_blocks(BytesSource(stream)) == []
    monkeypatch.setattr(xz, "INDEX_SIZE_LIMIT", 4)
    with pytest.raises(DamagedArchive, match="points outside the file"):
        xz.read_blocks(BytesSource(stream))


def test_header_and_footer_of_a_stream_name_the_same_check() -> None:
    stream = bytearray(write_stream(SAMPLE))
    stream[: xz.HEADER_SIZE] = xz.stream_header(1)
    with pytest.raises(DamagedArchive, match="does not fit the file"):
        xz.read_blocks(BytesSource(bytes(stream)))


def test_streams_and_blocks_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "STREAMS_LIMIT", 3)
    stream = write_stream([b"first", b"second"])
    assert len(xz.read_blocks(BytesSource(stream * 3), Limits(blocks=6))) == 6
    for blocks in (1, 5):
        with pytest.raises(RefusedArchive, match="--limit blocks="):
            xz.read_blocks(BytesSource(stream * 3), Limits(blocks=blocks))
    with pytest.raises(UnsupportedArchive, match="more than 3 xz streams"):
        xz.read_blocks(BytesSource(stream * 4))


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


def test_padding_is_limited_for_all_streams_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "PADDING_LIMIT", 1000)
    stream = write_stream([b"content"])
    allowed = (stream + bytes(500)) * 2
    assert read_stream(allowed) == [b"content"] * 2
    for refused in (allowed + bytes(4), bytes(4) + allowed, stream + bytes(1 << 20)):
        with pytest.raises(UnsupportedArchive, match="more than 1000 zero bytes"):
            read_stream(refused)


def test_padding_is_of_whole_words_and_of_zeros() -> None:
    stream = write_stream([b"content"])
    for padding in (bytes(1), bytes(2), bytes(3), bytes(5), b"\1" + bytes(3), bytes(100_001)):
        with pytest.raises(DamagedArchive):
            read_stream(stream + padding)
    assert read_stream(stream + bytes(100_000) + stream) == [b"content"] * 2
