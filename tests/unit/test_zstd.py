"""The framing of zstd files, against libzstd and against lies."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive import zstd
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive

LEVEL = 3

contents = st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=5)


def write_frames(blocks: list[bytes], seek_table: bool) -> bytes:
    frames = [zstd.encode_frame(block, LEVEL) for block in blocks]
    table = b""
    if seek_table:
        sizes = [(len(frame), len(block)) for frame, block in zip(frames, blocks, strict=True)]
        table = zstd.encode_seek_table(sizes)
    return b"".join(frames) + table


def read_content(file: bytes) -> list[bytes]:
    """Return what each frame of *file* decodes to. Raises DamagedArchive or ValueError."""
    source = BytesSource(file)
    return [
        zstd.decode_frame(source.read_at(frame.offset, frame.stored_size), frame.decoded_size)
        for frame in zstd.read_frames(source)
    ]


@given(contents, st.booleans())
def test_frames_round_trip_with_and_without_a_seek_table(
    blocks: list[bytes], seek_table: bool
) -> None:
    file = write_frames(blocks, seek_table)
    assert zstd.import_library().decompress(file) == b"".join(blocks)
    assert read_content(file) == blocks


@given(contents)
def test_the_seek_table_says_what_walking_finds(blocks: list[bytes]) -> None:
    walked = zstd.read_frames(BytesSource(write_frames(blocks, seek_table=False)))
    listed = zstd.read_frames(BytesSource(write_frames(blocks, seek_table=True)))
    assert walked == listed
    assert all(frame.checked for frame in walked)


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 3000))
def test_a_frame_is_decoded_in_pieces(content: bytes, piece_size: int) -> None:
    frame = zstd.encode_frame(content, LEVEL)
    chunks = (frame[i : i + 11] for i in range(0, len(frame), 11))
    assert b"".join(zstd.decode_pieces(chunks, len(content), piece_size)) == content


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 65_792, 1 << 20])
def test_headers_of_every_length_are_understood(size: int) -> None:
    content = random.Random(size).randbytes(size)
    [frame] = zstd.read_frames(BytesSource(zstd.encode_frame(content, LEVEL)))
    assert frame.decoded_size == size


def test_a_frame_of_unknown_size_is_said_to_be_so() -> None:
    compressor = zstd.import_library().ZstdCompressor()
    file = compressor.compress(b"content") + compressor.flush()
    [frame] = zstd.read_frames(BytesSource(file))
    assert (frame.decoded_size, frame.checked) == (zstd.UNKNOWN, False)
    assert frame.stored_size == len(file)


def test_skippable_frames_are_skipped() -> None:
    frame = zstd.encode_frame(b"content", LEVEL)
    skippable = (0x184D2A53).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    assert read_content(skippable + frame + skippable) == [b"content"]


SAMPLE = [b"first block " * 20, b"second block " * 30, b"third"]


@pytest.mark.parametrize("seek_table", [False, True])
def test_every_altered_byte_is_noticed_or_without_effect(seek_table: bool) -> None:
    file = write_frames(SAMPLE, seek_table)
    for position in range(len(file)):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(file)
            altered[position] ^= change
            try:
                content = read_content(bytes(altered))
            except (DamagedArchive, ValueError):
                continue
            assert content == SAMPLE, f"byte {position} altered by {change}"


@pytest.mark.parametrize("seek_table", [False, True])
def test_every_truncation_is_noticed_or_ends_at_a_whole_frame(seek_table: bool) -> None:
    file = write_frames(SAMPLE, seek_table)
    whole = [SAMPLE[:count] for count in range(len(SAMPLE) + 1)]
    complete = 0
    for length in range(1, len(file)):
        try:
            content = read_content(file[:length])
        except (DamagedArchive, ValueError):
            continue
        assert content in whole
        complete += 1
    # Nothing in the format says how many frames there are to be.
    assert complete == len(SAMPLE) - 1 + seek_table


def test_a_frame_that_decodes_to_more_or_less_than_announced_is_refused() -> None:
    content = b"content " * 100
    frame = zstd.encode_frame(content, LEVEL)
    for size in (0, 1, len(content) - 1, len(content) + 1):
        with pytest.raises(ValueError):
            zstd.decode_frame(frame, size)
        with pytest.raises(ValueError):
            list(zstd.decode_pieces([frame], size, 64))
    with pytest.raises(ValueError):
        zstd.decode_frame(frame + frame, len(content))


def test_no_piece_of_a_bomb_comes_beyond_what_it_announces() -> None:
    """Whoever collects the pieces would hold all of it before the end shows the lie."""
    frame = zstd.encode_frame(bytes(16 << 20), LEVEL)
    pieces = zstd.decode_pieces([frame], 2500, 1000)
    assert [len(next(pieces)) for _ in range(2)] == [1000, 1000]
    with pytest.raises(ValueError, match="more than 2500 bytes"):
        next(pieces)


@pytest.mark.parametrize(
    "sizes",
    [
        [(1, 1)],
        [(1 << 31, 1)],
        [(0, 1 << 31)],
        [(100, 10)] * 3,
    ],
)
def test_a_seek_table_that_lies_is_refused(sizes: list[tuple[int, int]]) -> None:
    file = write_frames(SAMPLE, seek_table=False) + zstd.encode_seek_table(sizes)
    with pytest.raises(DamagedArchive):
        zstd.read_frames(BytesSource(file))


def test_a_seek_table_that_moves_the_borders_of_frames_yields_an_error() -> None:
    frames = [zstd.encode_frame(block, LEVEL) for block in SAMPLE]
    sizes = [(len(frame), len(block)) for frame, block in zip(frames, SAMPLE, strict=True)]
    (first, first_size), (second, second_size), third = sizes
    lie = [(first + 1, first_size), (second - 1, second_size), third]
    with pytest.raises((ValueError, DamagedArchive)):
        read_content(b"".join(frames) + zstd.encode_seek_table(lie))


HIDDEN = zstd.encode_frame(b"what nobody is to see", LEVEL)
NOTHING = zstd.encode_frame(b"", LEVEL)
SKIPPED = (0x184D2A57).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"


@pytest.mark.parametrize("hidden", [HIDDEN, SKIPPED + HIDDEN, NOTHING + HIDDEN, HIDDEN[:7], b""])
def test_a_seek_table_hides_no_frame_by_saying_that_it_is_empty(hidden: bytes) -> None:
    frame = zstd.encode_frame(SAMPLE[0], LEVEL)
    sizes = [(len(frame), len(SAMPLE[0])), (len(hidden), 0)]
    with pytest.raises(DamagedArchive, match="no content at offset"):
        zstd.read_frames(BytesSource(frame + hidden + zstd.encode_seek_table(sizes)))


@pytest.mark.parametrize("empty", [NOTHING, SKIPPED])
def test_a_seek_table_may_list_what_decodes_to_nothing(empty: bytes) -> None:
    frame = zstd.encode_frame(SAMPLE[0], LEVEL)
    sizes = [(len(empty), 0), (len(frame), len(SAMPLE[0]))]
    file = empty + frame + zstd.encode_seek_table(sizes)
    assert zstd.import_library().decompress(file) == SAMPLE[0]
    assert read_content(file) == [SAMPLE[0]]


@given(st.sampled_from([1, 2, 131_071, 131_072, 131_073, 300_000]), st.integers(0, 255))
def test_a_plain_frame_is_read_by_libzstd_and_without_it(size: int, filling: int) -> None:
    content = bytes([filling]) * size
    frame = zstd.encode_plain_frame(content)
    assert zstd.import_library().decompress(frame) == content
    assert zstd.plain_content(frame, size) == content
    [found] = zstd.read_frames(BytesSource(frame))
    assert (found.decoded_size, found.checked) == (size, True)


def test_what_is_compressed_or_cut_off_is_not_taken_for_plain() -> None:
    content = b"text " * 1000
    compressed, plain = zstd.encode_frame(content, LEVEL), zstd.encode_plain_frame(content)
    for frame in (compressed, plain[: len(content)]):
        for length in range(0, len(frame), 7):
            assert zstd.plain_content(frame[:length], len(content)) is None
