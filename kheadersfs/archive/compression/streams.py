"""Decompress gzip and bzip2 files, of one stream or of several, as pigz and pbzip2 make them.

The standard library's own readers of such files take damage at the start of a later bzip2 stream
for the end of the file, and pass over zeros behind the last gzip stream one by one, though a sparse
file has a tebibyte of them for nothing. The streams themselves are libbz2's and zlib's business,
which compare the checksums.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from kheadersfs.errors import UnsupportedArchive, damaged

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from kheadersfs.archive.source import Source

STREAMS_LIMIT = 10_000
"""Streams that a file may have. pbzip2 makes one of 900 KB of content; an empty one takes 14
bytes."""
PADDING_LIMIT = 64 << 20
"""Zero bytes that may follow the last stream. In a sparse file any number of them takes no room."""
# What a decoder was given behind the end of its stream is read again for the next stream.
_CHUNK_SIZE = 8 << 10
_PADDING_PIECE = 64 << 10
_GZIP_WINDOW = 31  # the largest window, with gzip's header and trailer


class _Decoder(Protocol):
    """What bz2.BZ2Decompressor has."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecoder:
    """The same for gzip."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail or data, max_length)


def decompress(source: Source, compression: str, piece_size: int) -> Iterator[bytes]:
    """Yield what *source*, of "gzip" or "bzip2", decompresses to.

    No piece has more than *piece_size* bytes. Zero bytes may follow the last stream, as tapes and
    block devices add them. Raises DamagedArchive for anything else there, UnsupportedArchive for
    too many streams or zeros.
    """
    offset = streams = 0
    while offset < source.size:
        if source.read_at(offset, 1) == b"\0" and streams:
            _check_padding(source, offset)
            return
        streams += 1
        if streams > STREAMS_LIMIT:
            raise UnsupportedArchive(
                f"{source.name}: has more than {STREAMS_LIMIT} {compression} streams; "
                "compress it anew"
            )
        offset = yield from _decompress_stream(source, compression, offset, piece_size)


def _new_decoder(compression: str) -> _Decoder:
    if compression == "gzip":
        return _GzipDecoder()
    import bz2  # which a Python may be built without

    return bz2.BZ2Decompressor()


def _decompress_stream(
    source: Source, compression: str, start: int, piece_size: int
) -> Generator[bytes, None, int]:
    """Yield what the stream at *start* decompresses to. Returns the offset behind it."""
    decoder = _new_decoder(compression)
    offset = start
    while not decoder.eof:
        chunk = b""
        if decoder.needs_input:
            chunk = source.read_at(offset, min(_CHUNK_SIZE, source.size - offset))
            if not chunk:
                raise damaged(source.name, f"the {compression} stream at offset {start} is cut off")
            offset += len(chunk)
        try:
            piece = decoder.decompress(chunk, piece_size)
        except (OSError, zlib.error) as error:
            what = f"the {compression} stream at offset {start} is invalid"
            raise damaged(source.name, what) from error
        if piece:
            yield piece
    return offset - len(decoder.unused_data)


def _check_padding(source: Source, start: int) -> None:
    """Check that there is nothing but zeros from *start* on, and not too many of them."""
    if source.size - start > PADDING_LIMIT:
        raise UnsupportedArchive(
            f"{source.name}: has more than {PADDING_LIMIT} bytes behind its last stream; "
            "fetch it again"
        )
    for offset in range(start, source.size, _PADDING_PIECE):
        piece = source.read_at(offset, min(_PADDING_PIECE, source.size - offset))
        if piece.strip(b"\0"):
            raise damaged(source.name, f"there are stray bytes behind offset {start}")
