"""bzip2 files of several streams, against libbz2 and against damage."""

from __future__ import annotations

import bz2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive import bzip2
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, UnsupportedArchive
from tests.hostile.forging import END, tar_file

PIECE_SIZE = 1000

contents = st.lists(st.binary(max_size=2000), min_size=1, max_size=5)


def write_streams(contents: list[bytes]) -> bytes:
    return b"".join(map(bz2.compress, contents))


def read_streams(file: bytes) -> bytes:
    """Return what *file* decompresses to. Raises DamagedArchive."""
    pieces = list(bzip2.decompress(BytesSource(file), PIECE_SIZE))
    assert all(0 < len(piece) <= PIECE_SIZE for piece in pieces)
    return b"".join(pieces)


@given(contents)
def test_streams_one_behind_the_other_are_read_as_one(contents: list[bytes]) -> None:
    assert read_streams(write_streams(contents)) == b"".join(contents)


def test_a_stream_longer_than_what_is_read_at_once_is_read_whole() -> None:
    content = b"".join(b"%d" % (n * n) for n in range(50_000))
    file = write_streams([content, b"second", content])
    assert len(file) > 100_000
    assert read_streams(file) == content + b"second" + content


SAMPLE = [b"first stream " * 20, b"second stream " * 30, b"third"]


def test_every_altered_byte_is_noticed_or_without_effect() -> None:
    """The library's own reader takes one at the start of a stream for the end of the file."""
    file = write_streams(SAMPLE)
    for position in range(len(file)):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(file)
            altered[position] ^= change
            try:
                content = read_streams(bytes(altered))
            except DamagedArchive:
                continue
            assert content == b"".join(SAMPLE), f"byte {position} altered by {change}"


def test_every_truncation_is_noticed_or_ends_at_a_whole_stream() -> None:
    file = write_streams(SAMPLE)
    whole = {len(write_streams(SAMPLE[:count])) for count in range(1, len(SAMPLE))}
    for length in set(range(1, len(file))) - whole:
        with pytest.raises(DamagedArchive):
            read_streams(file[:length])


@pytest.mark.parametrize("padding", [1, 512, 100_000])
def test_zeros_may_follow_the_last_stream_and_nothing_else(padding: int) -> None:
    file = write_streams(SAMPLE) + bytes(padding)
    assert read_streams(file) == b"".join(SAMPLE)
    for rest in (b"x", b"BZ", write_streams(SAMPLE)):
        with pytest.raises(DamagedArchive, match="stray bytes"):
            read_streams(file + rest)


def test_padding_and_streams_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bzip2, "PADDING_LIMIT", 1000)
    monkeypatch.setattr(bzip2, "STREAMS_LIMIT", 3)
    assert read_streams(write_streams(SAMPLE) + bytes(1000)) == b"".join(SAMPLE)
    with pytest.raises(UnsupportedArchive, match="more than 1000 bytes"):
        read_streams(write_streams(SAMPLE) + bytes(1001))
    with pytest.raises(UnsupportedArchive, match="more than 3 bzip2 streams"):
        read_streams(write_streams([*SAMPLE, b"fourth"]))


def test_an_archive_whose_later_stream_is_damaged_at_its_start_is_damaged() -> None:
    first, second = (bz2.compress(tar_file(name, b"content")) for name in (b"first", b"second"))
    file = first + second + bz2.compress(END)
    assert Archive(BytesSource(file)).load().table.whole().names == b"firstsecond"
    for position in (0, 1, 2, 4, 9, 12):
        altered = bytearray(file)
        altered[len(first) + position] ^= 1
        with pytest.raises(DamagedArchive, match=f"bzip2 stream at offset {len(first)}"):
            Archive(BytesSource(bytes(altered))).load()
