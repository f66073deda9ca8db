"""Decompress bzip2 files, of one stream or of several, as pbzip2 makes them.

The standard library's own reader of such files takes damage at the start of a later stream for
the end of the file. The streams themselves are libbz2's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.errors import DamagedArchive, UnsupportedArchive

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from kheadersfs.archive.source import Source

STREAMS_LIMIT = 10_000
"""Streams in one file: pbzip2 makes one of 900 KB, and one of nothing takes 14 bytes."""
PADDING_LIMIT = 64 << 20
"""Zero bytes behind the last stream. A sparse file has any number for nothing."""
# Behind each stream the rest is read once more.
_CHUNK_SIZE = 8 << 10
_PADDING_PIECE = 64 << 10


def decompress(source: Source, piece_size: int) -> Iterator[bytes]:
    """Yield what the streams of *source* decompress to, in pieces of at most *piece_size* bytes.

    Zero bytes may follow the last stream, as tapes and block devices add them. Raises
    DamagedArchive for anything else there, UnsupportedArchive for too many streams or zeros.
    """
    offset = streams = 0
    while offset < source.size:
        if source.read_at(offset, 1) == b"\0" and streams:
            _check_padding(source, offset)
            return
        streams += 1
        if streams > STREAMS_LIMIT:
            raise UnsupportedArchive(
                f"{source.name}: has more than {STREAMS_LIMIT} bzip2 streams; compress it anew"
            )
        offset = yield from _decompress_stream(source, offset, piece_size)


def _decompress_stream(source: Source, start: int, piece_size: int) -> Generator[bytes, None, int]:
    """Yield what the stream at *start* decompresses to. Returns the offset behind it."""
    import bz2  # only this one format needs it

    decoder = bz2.BZ2Decompressor()
    offset = start
    while not decoder.eof:
        chunk = b""
        if decoder.needs_input:
            chunk = source.read_at(offset, min(_CHUNK_SIZE, source.size - offset))
            if not chunk:
                raise _damaged(source, f"the bzip2 stream at offset {start} is cut off")
            offset += len(chunk)
        try:
            piece = decoder.decompress(chunk, piece_size)
        except OSError as error:
            what = f"the bzip2 stream at offset {start} is invalid"
            raise _damaged(source, what) from error
        if piece:
            yield piece
    return offset - len(decoder.unused_data)


def _check_padding(source: Source, start: int) -> None:
    """Check that there is nothing but zeros from *start* on, and not too many of them."""
    if source.size - start > PADDING_LIMIT:
        raise UnsupportedArchive(
            f"{source.name}: has more than {PADDING_LIMIT} bytes behind its bzip2 streams; "
            "fetch it again"
        )
    for offset in range(start, source.size, _PADDING_PIECE):
        piece = source.read_at(offset, min(_PADDING_PIECE, source.size - offset))
        if piece.strip(b"\0"):
            raise _damaged(source, f"there are stray bytes behind offset {start}")


def _damaged(source: Source, what: str) -> DamagedArchive:
    return DamagedArchive(
        f"{source.name}: {what}: it is truncated or damaged; make or fetch it again"
    )
