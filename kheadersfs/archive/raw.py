"""Decompression by libarchive, for what the standard library has nothing: lz4."""

from __future__ import annotations

import ctypes
from contextlib import closing
from typing import TYPE_CHECKING

from kheadersfs.archive.entries import EntryStream, new_buffer
from kheadersfs.archive.feeding import Feed
from kheadersfs.errors import UnsupportedArchive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source


class _RawStream(EntryStream):
    """All of a file as the content of one entry."""

    def __init__(self, source: Source, compression: str) -> None:
        super().__init__(Feed(source), ("raw",), compression)

    def pieces(self, piece_size: int) -> Iterator[bytes]:
        """Yield the content. Raises UnsupportedArchive when it is compressed again."""
        while self._step():
            if self._ffi.filter_count(self._archive) > 2:  # one is the reading itself
                raise UnsupportedArchive(
                    f"{self._name}: is compressed more than once; decompress it once"
                )
            buffer = new_buffer(piece_size)
            while count := self._read_data(buffer, 0, piece_size):
                yield ctypes.string_at(buffer, count)


def decompress(source: Source, compression: str, piece_size: int) -> Iterator[bytes]:
    """Yield what *source* decompresses to by libarchive's filter *compression*, in pieces.

    Raises DamagedArchive, UnsupportedArchive when that is compressed again.
    """
    with closing(_RawStream(source, compression)) as stream:
        yield from stream.pieces(piece_size)
