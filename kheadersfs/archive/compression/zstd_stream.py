"""Decompress zstd files with frames of unknown size, in one go."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from kheadersfs.archive.compression import zstd_coding
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

    from kheadersfs.archive.source import Source


class _Reader(io.RawIOBase):
    """A source as a file, for zstd's reader of such."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._offset = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill *buffer* with what comes next. Returns how much that was."""
        view = memoryview(buffer).cast("B")
        count = self._source.available(self._offset, len(view))
        view[:count] = self._source.read_at(self._offset, count)
        self._offset += count
        return count


def decompress(source: Source, piece_size: int) -> Iterator[bytes]:
    """Yield what *source* decompresses to, *piece_size* bytes at a time. Raises DamagedArchive."""
    library = zstd_coding.import_library()
    decoder = library.ZstdFile(io.BufferedReader(_Reader(source)))
    try:
        while piece := decoder.read(piece_size):
            yield piece
    except (OSError, EOFError, library.ZstdError) as error:
        raise DamagedArchive(
            f"{source.name}: is damaged or truncated ({error}); make or fetch it again"
        ) from error
