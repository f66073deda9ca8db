"""The seek table of zstd files: what it may say, and what it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from kheadersfs.archive.compression import zstd, zstd_coding
from kheadersfs.archive.source import BytesSource, open_source
from kheadersfs.errors import DamagedArchive
from kheadersfs.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

from tests.support.zstd_files import (
    LEVEL,
    SAMPLE,
    SKIPPED,
    START,
    contents,
    listed,
    raw_block,
    read_content,
    seek_table,
    write_frames,
)

SEEK_TABLE_MAGIC = b"\xb1\xea\x92\x8f"


@given(contents)
def test_the_seek_table_says_what_walking_finds(blocks: list[bytes]) -> None:
    source = BytesSource(write_frames(blocks, seek_table=False))
    walked = zstd.read_frames(source)
    listed = zstd.read_frames(BytesSource(write_frames(blocks, seek_table=True)))
    assert walked == listed
    assert zstd.all_checked(source, walked)


@pytest.mark.parametrize(
    "sizes",
    [
        [(1 << 31, 1)],
        [(100, 10)] * 300,
    ],
)
def test_a_seek_table_that_lies_is_refused(sizes: list[tuple[int, int]]) -> None:
    file = write_frames(SAMPLE, seek_table=False) + zstd_coding.encode_seek_table(sizes)
    with pytest.raises(DamagedArchive):
        zstd.read_frames(BytesSource(file))


def test_a_seek_table_that_moves_the_borders_of_frames_yields_an_error() -> None:
    frames = [zstd_coding.encode_frame(block, LEVEL) for block in SAMPLE]
    sizes = [(len(frame), len(block)) for frame, block in zip(frames, SAMPLE, strict=True)]
    (first, first_size), (second, second_size), third = sizes
    lie = [(first + 1, first_size), (second - 1, second_size), third]
    with pytest.raises((ValueError, DamagedArchive)):
        read_content(b"".join(frames) + zstd_coding.encode_seek_table(lie))


UNCHECKED = START[:5] + (7).to_bytes(4, "little") + raw_block(b"content")


def test_a_seek_table_may_have_checksums_and_frames_none() -> None:
    checked = zstd_coding.encode_frame(b"other", LEVEL)
    entries = [listed(UNCHECKED, 7), listed(checked, 5)]
    for unused in range(4):
        plain = seek_table(unused, entries, 2)
        with_checksums = seek_table(0x80 | unused, [entry + b"\xff" * 4 for entry in entries], 2)
        for table in (plain, with_checksums):
            file = UNCHECKED + checked + table
            assert read_content(file) == [b"content", b"other"]
            source = BytesSource(file)
            checks = [zstd.all_checked(source, [frame]) for frame in zstd.read_frames(source)]
            assert checks == [False, True]


@pytest.mark.parametrize("bit", [0x04, 0x08, 0x10, 0x20, 0x40])
def test_a_seek_table_with_a_reserved_bit_is_refused(bit: int) -> None:
    with pytest.raises(DamagedArchive, match="does not fit the file"):
        zstd.read_frames(BytesSource(UNCHECKED + seek_table(bit, [listed(UNCHECKED, 7)], 1)))


def test_a_seek_table_is_where_and_as_large_as_it_says() -> None:
    entry = listed(UNCHECKED, 7)
    for count in (100, (1 << 32) - 1):
        with pytest.raises(DamagedArchive, match="does not fit the file"):
            zstd.read_frames(BytesSource(UNCHECKED + seek_table(0, [entry], count)))
    table = seek_table(0, [entry], 1)
    for place in (0, 4, 7):
        moved = table[:place] + bytes((table[place] ^ 1,)) + table[place + 1 :]
        with pytest.raises(DamagedArchive, match="not where its footer says"):
            zstd.read_frames(BytesSource(UNCHECKED + moved))
    assert zstd.read_frames(BytesSource(seek_table(0, [], 0))) == []


def test_a_seek_table_larger_than_its_frame_can_say_is_refused(tmp_path: Path) -> None:
    count = (1 << 32) // 8
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.seek(9 * count)
        file.write(count.to_bytes(4, "little") + b"\0" + SEEK_TABLE_MAGIC)
    with pytest.raises(DamagedArchive, match="is not where its footer says"):
        zstd.read_frames(open_source(str(sparse)), Limits(blocks=count))


@pytest.mark.parametrize("size", [len(UNCHECKED) + 1, (1 << 32) - 1])
def test_a_seek_table_covers_no_more_than_the_frames(size: int) -> None:
    entry = size.to_bytes(4, "little") + (7).to_bytes(4, "little")
    with pytest.raises(DamagedArchive, match="does not cover the file"):
        zstd.read_frames(BytesSource(UNCHECKED + seek_table(0, [entry], 1)))


HIDDEN = zstd_coding.encode_frame(b"what nobody is to see", LEVEL)
NOTHING = zstd_coding.encode_frame(b"", LEVEL)


@pytest.mark.parametrize(
    "hidden",
    [HIDDEN, SKIPPED + HIDDEN, NOTHING + HIDDEN, NOTHING + b"x", SKIPPED + b"x", HIDDEN[:7], b""],
)
def test_a_seek_table_hides_no_frame_by_saying_that_it_is_empty(hidden: bytes) -> None:
    frame = zstd_coding.encode_frame(SAMPLE[0], LEVEL)
    sizes = [(len(frame), len(SAMPLE[0])), (len(hidden), 0)]
    with pytest.raises(DamagedArchive, match="no content at offset"):
        zstd.read_frames(BytesSource(frame + hidden + zstd_coding.encode_seek_table(sizes)))


@pytest.mark.parametrize("empty", [NOTHING, SKIPPED, START + raw_block(b"")])
def test_a_seek_table_may_list_what_decodes_to_nothing(empty: bytes) -> None:
    frame = zstd_coding.encode_frame(SAMPLE[0], LEVEL)
    sizes = [(len(empty), 0), (len(frame), len(SAMPLE[0]))]
    file = empty + frame + zstd_coding.encode_seek_table(sizes)
    assert zstd_coding.import_library().decompress(file) == SAMPLE[0]
    assert read_content(file) == [SAMPLE[0]]


def test_a_seek_table_takes_no_content_of_a_frame_for_the_next_frame() -> None:
    inner = zstd_coding.encode_frame(b"content", LEVEL)
    start = START + (len(inner) << 3 | 1).to_bytes(3, "little")
    table = zstd_coding.encode_seek_table([(len(start), 0), (len(inner), 7)])
    with pytest.raises(DamagedArchive, match="no content at offset 0"):
        zstd.read_frames(BytesSource(start + inner + table))
