"""Decompress zstd files with frames of unknown size, in one go."""

from __future__ import annotations

from kheadersfs.archive.compression import zstd_coding
from kheadersfs.errors import DamagedArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source

_READ_SIZE = 128 << 10


def decompress(source: Source, piece_size: int) -> Iterator[bytes]:
    """Yield what *source* decompresses to, at most *piece_size* bytes at a time.

    Raises DamagedArchive.
    """
    library = zstd_coding.import_library()
    try:
        yield from _decode(_read(source), piece_size)
    except (EOFError, library.ZstdError) as error:
        raise DamagedArchive(
            f"{source.name}: is damaged or truncated ({error}); make or fetch it again"
        ) from error


def _read(source: Source) -> Iterator[bytes]:
    """Yield all of *source*."""
    offset = 0
    while count := source.available(offset, _READ_SIZE):
        yield source.read_at(offset, count)
        offset += count


def _decode(stored: Iterator[bytes], piece_size: int) -> Iterator[bytes]:
    """Yield the content of the frames in *stored*. Raises EOFError, the library's ZstdError."""
    library = zstd_coding.import_library()
    decoder = library.ZstdDecompressor()
    within_frame = False
    for chunk in stored:
        piece = b""
        while chunk or piece:
            within_frame |= bool(chunk)
            piece = decoder.decompress(chunk, piece_size)
            chunk = b""
            if decoder.eof:
                chunk, within_frame = decoder.unused_data, False
                decoder = library.ZstdDecompressor()
            if piece:
                yield piece
    if within_frame:
        raise EOFError("it ends within a frame")
