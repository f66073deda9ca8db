"""Decompress lz4 files, in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive import raw
from kheadersfs.archive.compression import skippable
from kheadersfs.archive.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.limits import Limits


class _Rest(Source):
    """What *source* has from offset *start* on."""

    __slots__ = ("_source", "_start")

    def __init__(self, source: Source, start: int) -> None:
        super().__init__(source.name, source.size - start)
        self._source = source
        self._start = start

    def available(self, offset: int, limit: int) -> int:
        """See Source.available."""
        return self._source.available(self._start + offset, limit)

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at."""
        return self._source.read_at(self._start + offset, length)


def decompress(source: Source, limits: Limits, piece_size: int) -> Iterator[bytes]:
    """Yield what *source* decompresses to. libarchive skips no frame at its start."""
    start = skippable.first_content(source, limits)
    return raw.decompress(_Rest(source, start), "lz4", piece_size)
