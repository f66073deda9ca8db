"""gzip and bzip2 files of several streams, against their libraries and against damage."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.compression import streams
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, UnsupportedArchive
from tests.attacks.forging import END, tar_file
from tests.support.seen import one_kernels

PIECE_SIZE = 1000

contents = st.lists(st.binary(max_size=2000), min_size=1, max_size=5)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "bzip2": bz2.compress,
}

of_both = pytest.mark.parametrize("compression", COMPRESS)


def write_streams(compression: str, contents: list[bytes]) -> bytes:
    return b"".join(map(COMPRESS[compression], contents))


def read_streams(compression: str, file: bytes) -> bytes:
    """Return what *file* decompresses to. Raises DamagedArchive."""
    pieces = list(streams.decompress(BytesSource(file), compression, PIECE_SIZE))
    assert all(0 < len(piece) <= PIECE_SIZE for piece in pieces)
    return b"".join(pieces)


@of_both
@given(contents)
def test_streams_one_behind_the_other_are_read_as_one(
    compression: str, contents: list[bytes]
) -> None:
    assert read_streams(compression, write_streams(compression, contents)) == b"".join(contents)


@of_both
def test_a_stream_longer_than_what_is_read_at_once_is_read_whole(compression: str) -> None:
    content = b"".join(b"%d" % (n * n) for n in range(50_000))
    file = write_streams(compression, [content, b"second", content])
    assert len(file) > 100_000
    assert read_streams(compression, file) == content + b"second" + content


SAMPLE = [b"first stream " * 20, b"second stream " * 30, b"third"]


@of_both
def test_every_altered_byte_is_noticed_or_without_effect(compression: str) -> None:
    """The library's own reader takes one at the start of a stream for the end of the file."""
    file = write_streams(compression, SAMPLE)
    for position in range(len(file)):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(file)
            altered[position] ^= change
            try:
                content = read_streams(compression, bytes(altered))
            except DamagedArchive:
                continue
            assert content == b"".join(SAMPLE), f"byte {position} altered by {change}"


@of_both
def test_every_truncation_is_noticed_or_ends_at_a_whole_stream(compression: str) -> None:
    file = write_streams(compression, SAMPLE)
    whole = {len(write_streams(compression, SAMPLE[:count])) for count in range(1, len(SAMPLE))}
    for length in set(range(1, len(file))) - whole:
        with pytest.raises(DamagedArchive):
            read_streams(compression, file[:length])


@of_both
@pytest.mark.parametrize("padding", [1, 512, 100_000])
def test_zeros_may_follow_the_last_stream_and_nothing_else(compression: str, padding: int) -> None:
    file = write_streams(compression, SAMPLE) + bytes(padding)
    assert read_streams(compression, file) == b"".join(SAMPLE)
    for rest in (b"x", b"BZ", b"\x1f\x8b", write_streams(compression, SAMPLE)):
        with pytest.raises(DamagedArchive, match="stray bytes"):
            read_streams(compression, file + rest)


@of_both
@pytest.mark.parametrize("rest", [b"x", zlib.compress(b"content"), b"\x1f\x8c", b"\0BZh9"])
def test_what_follows_a_stream_and_is_none_is_damage(compression: str, rest: bytes) -> None:
    for file in (write_streams(compression, SAMPLE) + rest, rest):
        with pytest.raises(DamagedArchive, match=r"stray bytes|stream at offset \d+ is"):
            read_streams(compression, file)


@of_both
def test_padding_and_streams_are_limited(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PADDING_LIMIT", 1000)
    monkeypatch.setattr(streams, "STREAMS_LIMIT", 3)
    assert read_streams(compression, write_streams(compression, SAMPLE) + bytes(1000)) == b"".join(
        SAMPLE
    )
    with pytest.raises(UnsupportedArchive, match="more than 1000 bytes"):
        read_streams(compression, write_streams(compression, SAMPLE) + bytes(1001))
    with pytest.raises(UnsupportedArchive, match=f"more than 3 {compression} streams"):
        read_streams(compression, write_streams(compression, [*SAMPLE, b"fourth"]))


@of_both
def test_an_archive_whose_later_stream_is_damaged_at_its_start_is_damaged(compression: str) -> None:
    first, second = (
        COMPRESS[compression](tar_file(name, b"content")) for name in (b"first", b"second")
    )
    file = first + second + COMPRESS[compression](END)
    table = WholeReader(Archive(BytesSource(file))).load().table
    assert one_kernels(table).whole().names == b"firstsecond"
    for position in (0, 1, 2, len(second) - 1):
        altered = bytearray(file)
        altered[len(first) + position] ^= 1
        with pytest.raises(DamagedArchive, match=f"{compression} stream at offset {len(first)}"):
            WholeReader(Archive(BytesSource(bytes(altered)))).load()
