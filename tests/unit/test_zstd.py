"""The framing of zstd files, against libzstd and against lies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.compression import zstd, zstd_coding
from kheadersfs.archive.compression.kind import ZSTD_MAGIC
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, RefusedArchive, UnsupportedArchive
from kheadersfs.limits import Limits
from tests.attacks.forging import END, tar_file
from tests.support.mounting import run_command
from tests.support.seen import one_kernels
from tests.support.sources import CountingSource

if TYPE_CHECKING:
    from pathlib import Path

from tests.support.zstd_files import (
    LEVEL,
    SAMPLE,
    SKIPPED,
    START,
    contents,
    raw_block,
    read_content,
    write_frames,
)


@given(contents, st.booleans())
def test_frames_round_trip_with_and_without_a_seek_table(
    blocks: list[bytes], seek_table: bool
) -> None:
    file = write_frames(blocks, seek_table)
    assert zstd_coding.import_library().decompress(file) == b"".join(blocks)
    assert read_content(file) == blocks


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 3000))
def test_a_frame_is_decoded_in_pieces(content: bytes, piece_size: int) -> None:
    frame = zstd_coding.encode_frame(content, LEVEL)
    chunks = (frame[i : i + 11] for i in range(0, len(frame), 11))
    assert b"".join(zstd_coding.decode_pieces(chunks, len(content), piece_size)) == content


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 65_792, 1 << 20])
def test_headers_of_every_length_are_understood(size: int) -> None:
    content = random.Random(size).randbytes(size)
    [frame] = zstd.read_frames(BytesSource(zstd_coding.encode_frame(content, LEVEL)))
    assert frame.decoded_size == size


def test_a_frame_of_unknown_size_is_said_to_be_so() -> None:
    compressor = zstd_coding.import_library().ZstdCompressor()
    file = compressor.compress(b"content") + compressor.flush()
    source = BytesSource(file)
    [frame] = zstd.read_frames(source)
    assert (frame.decoded_size, zstd.all_checked(source, [frame])) == (zstd.UNKNOWN, False)
    assert frame.stored_size == len(file)


LARGEST_WINDOW = bytes((17 << 3,))
"""What a frame's header has for a window of 128 MiB."""


@pytest.mark.parametrize("size_flag", range(4))
@pytest.mark.parametrize("single_segment", [True, False])
@pytest.mark.parametrize("dictionary_flag", range(4))
@pytest.mark.parametrize("checked", [True, False])
def test_fields_are_where_the_descriptor_of_a_frame_says(
    size_flag: int, single_segment: bool, dictionary_flag: int, checked: bool
) -> None:
    """RFC 8878, 3.1.1.1; the dictionary's is of ones, which are no block."""
    unused = 0x10
    descriptor = size_flag << 6 | single_segment << 5 | unused | checked << 2 | dictionary_flag
    size_length = (int(single_segment), 2, 4, 8)[size_flag]
    window = LARGEST_WINDOW * (not single_segment)
    window_and_dictionary = window + b"\xff" * (0, 1, 2, 4)[dictionary_flag]
    sized = bytes(range(1, size_length + 1))
    header = ZSTD_MAGIC + bytes((descriptor,)) + window_and_dictionary + sized
    frame = header + raw_block(b"content") + b"\xff" * 4 * checked
    expected = int.from_bytes(sized, "little") + 256 * (size_flag == 1)
    source = BytesSource(frame * 2)
    found = zstd.read_frames(source)
    assert found == [
        zstd.ZstdFrame(offset, len(frame), expected if sized else zstd.UNKNOWN)
        for offset in (0, len(frame))
    ]
    assert zstd.all_checked(source, found) == checked
    for length in range(8, len(header)):
        with pytest.raises(DamagedArchive, match="header at offset 0 is cut off"):
            zstd.read_frames(BytesSource(header[:length]))
    reserved = frame[:4] + bytes((descriptor | 0x08,)) + frame[5:]
    with pytest.raises(DamagedArchive, match="sets a reserved bit"):
        zstd.read_frames(BytesSource(reserved))


def test_blocks_have_a_kind_and_no_more_content_than_there_may_be() -> None:
    limit = 128 << 10
    repeated = (limit << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    good = START + repeated + raw_block(bytes(limit), is_last=False) + raw_block(b"")
    [frame] = zstd.read_frames(BytesSource(good))
    assert frame.stored_size == len(good)
    for header in ((limit + 1) << 3 | 1, (limit + 1) << 3 | 1 << 1 | 1, 5 << 3 | 3 << 1 | 1):
        bad = START + header.to_bytes(3, "little") + bytes(limit + 1)
        with pytest.raises(DamagedArchive, match=f"block at offset {len(START)} is invalid"):
            zstd.read_frames(BytesSource(bad))


def test_frames_and_blocks_are_limited_together() -> None:
    two_blocks = START + raw_block(b"", is_last=False) + raw_block(b"")
    source = BytesSource(two_blocks + SKIPPED + two_blocks)
    assert len(zstd.read_frames(source, Limits(blocks=7))) == 2
    for content in (source.content, SKIPPED * 7):
        with pytest.raises(RefusedArchive, match="--limit blocks="):
            zstd.read_frames(BytesSource(content), Limits(blocks=6))
    listed = write_frames(SAMPLE, seek_table=True)
    assert len(zstd.read_frames(BytesSource(listed), Limits(blocks=3))) == 3
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        zstd.read_frames(BytesSource(listed), Limits(blocks=2))


def test_blocks_beyond_the_limit_are_not_walked() -> None:
    """A block of nothing takes three bytes, so a file may have hundreds of millions."""
    source = CountingSource(START + raw_block(b"", is_last=False) * 1000 + raw_block(b""))
    with pytest.raises(RefusedArchive, match="--limit blocks="):
        zstd.read_frames(source, Limits(blocks=10))
    assert source.reads < 20


def skippable(magic: int) -> bytes:
    return magic.to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"


@pytest.mark.parametrize(
    ("magic", "other"), [(0x184D2A50, 0x184D2A4F), (0x184D2A5F, 0x184D2A60)], ids=hex
)
def test_frames_of_any_skippable_kind_are_skipped_and_no_others(magic: int, other: int) -> None:
    frame = zstd_coding.encode_frame(b"content", LEVEL)
    assert read_content(skippable(magic) + frame + skippable(magic)) == [b"content"]
    with pytest.raises(DamagedArchive, match="no zstd frame at offset 0"):
        zstd.read_frames(BytesSource(skippable(other) + frame))
    for listed in (magic, other):
        empty = skippable(listed)
        table = zstd_coding.encode_seek_table([(len(empty), 0), (len(frame), 7)])
        if listed == magic:
            assert read_content(empty + frame + table) == [b"content"]
        else:
            with pytest.raises(DamagedArchive, match="no zstd frame at offset 0"):
                read_content(empty + frame + table)


def test_a_skippable_frame_is_whole() -> None:
    for length in range(1, len(SKIPPED)):
        with pytest.raises(DamagedArchive, match=r"stray bytes|cut off"):
            zstd.read_frames(BytesSource(SKIPPED[:length]))


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
    frame = zstd_coding.encode_frame(content, LEVEL)
    for size in (0, 1, len(content) - 1, len(content) + 1):
        with pytest.raises(ValueError):
            zstd_coding.decode_frame(frame, size)
        with pytest.raises(ValueError):
            list(zstd_coding.decode_pieces([frame], size, 64))
    for more in (frame + frame, frame + b"x", frame[:-1]):
        with pytest.raises(ValueError):
            zstd_coding.decode_frame(more, len(content))
        with pytest.raises(ValueError):
            list(zstd_coding.decode_pieces([more], len(content), 64))


def test_no_piece_of_a_bomb_comes_beyond_what_it_announces() -> None:
    """Whoever collects the pieces would hold all of it before the end shows the lie."""
    frame = zstd_coding.encode_frame(bytes(16 << 20), LEVEL)
    pieces = zstd_coding.decode_pieces([frame], 2500, 1000)
    assert [len(next(pieces)) for _ in range(2)] == [1000, 1000]
    with pytest.raises(ValueError, match="more than 2500 bytes"):
        next(pieces)


@given(st.sampled_from([1, 2, 131_071, 131_072, 131_073, 300_000]), st.integers(0, 255))
def test_a_plain_frame_is_read_by_libzstd_and_without_it(size: int, filling: int) -> None:
    content = bytes([filling]) * size
    frame = zstd_coding.encode_plain_frame(content)
    assert zstd_coding.import_library().decompress(frame) == content
    assert zstd.plain_content(frame, size) == content
    source = BytesSource(frame)
    [found] = zstd.read_frames(source)
    assert (found.decoded_size, zstd.all_checked(source, [found])) == (size, True)


def test_what_is_compressed_or_cut_off_is_not_taken_for_plain() -> None:
    content = b"text " * 1000
    compressed, plain = (
        zstd_coding.encode_frame(content, LEVEL),
        zstd_coding.encode_plain_frame(content),
    )
    for frame in (compressed, plain[: len(content)]):
        for length in range(0, len(frame), 7):
            assert zstd.plain_content(frame[:length], len(content)) is None


def test_what_is_repeated_or_of_another_size_is_not_taken_for_plain() -> None:
    blocks = raw_block(b"con", is_last=False) + raw_block(b"tent")
    assert zstd.plain_content(START + blocks, 7) == b"content"
    for size in (0, 6, 8):
        assert zstd.plain_content(START + blocks, size) is None
    for kind in (1, 2, 3):
        other = (4 << 3 | kind << 1 | 1).to_bytes(3, "little") + b"tent"
        assert zstd.plain_content(START + raw_block(b"con", is_last=False) + other, 7) is None


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_frames_are_found_whatever_is_to_be_skipped_around_them(
    notes: list[bytes], seek_table: bool, is_first: bool
) -> None:
    """A seek table is then not of the whole file, and goes for nothing."""
    skipped = b"".join(SKIPPED[:4] + len(note).to_bytes(4, "little") + note for note in notes)
    frames = [zstd_coding.encode_frame(block, LEVEL) for block in SAMPLE]
    between = frames[0] + skipped + b"".join(frames[1:])
    file = skipped * is_first + between + skipped
    if seek_table:
        file += zstd_coding.encode_seek_table([(len(frames[0]), len(SAMPLE[0]))])
    assert zstd_coding.import_library().decompress(file) == b"".join(SAMPLE)
    assert read_content(file) == SAMPLE


@pytest.mark.parametrize("seek_table", [True, False])
def test_files_put_together_are_read_as_one(seek_table: bool) -> None:
    assert read_content(write_frames(SAMPLE, seek_table) * 2) == SAMPLE * 2


def test_an_index_is_found_behind_frames_that_are_skipped(tmp_path: Path) -> None:
    """They have no content, so what the index says of places in that still holds."""
    plain, packed = tmp_path / "plain.tar", tmp_path / "packed.tar.zst"
    plain.write_bytes(tar_file(b"a.h", b"content") + END)
    assert run_command("repack", plain, packed).status == 0
    file = packed.read_bytes()
    for noted in (file, SKIPPED * 2 + file):
        content = WholeReader(Archive(BytesSource(noted))).load()
        assert content.indexed
        assert one_kernels(content.table).whole().names == b"a.h"


def test_a_window_that_takes_too_much_memory_is_refused_with_the_way_out() -> None:
    """As zstd --long=31 writes it; the fields of the descriptor are RFC 8878's, 3.1.1.1.2."""
    for window, is_read in ((17 << 3, True), (17 << 3 | 1, False), (21 << 3, False)):
        file = ZSTD_MAGIC + bytes((0, window)) + raw_block(b"content")
        if is_read:
            [frame] = zstd.read_frames(BytesSource(file))
            assert frame.decoded_size == zstd.UNKNOWN
        else:
            with pytest.raises(UnsupportedArchive, match=r"zstd -dc --long=31 <'a b' \| zstd"):
                zstd.read_frames(BytesSource(file, "a b"))
