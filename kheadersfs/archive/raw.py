"""Decompression by libarchive, of lz4, which Python's standard library does not have."""

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
    """A compressed file, which libarchive presents as one entry with all of its content."""

    def __init__(self, source: Source, compression: str) -> None:
        super().__init__(Feed(source), ("raw",), compression)

    def pieces(self, piece_size: int) -> Iterator[bytes]:
        """Yield the decompressed content in pieces of at most *piece_size* bytes.

        Raises UnsupportedArchive when that is compressed again.
        """
        while self._step():
            if self._ffi.filter_count(self._archive) > 2:  # the other one is reading the file
                raise UnsupportedArchive(
                    f"{self._name}: is compressed more than once; decompress it once"
                )
            buffer = new_buffer(piece_size)
            while count := self._read_data(buffer, 0, piece_size):
                yield ctypes.string_at(buffer, count)


def decompress(source: Source, compression: str, piece_size: int) -> Iterator[bytes]:
    """Decompress *source* by libarchive's filter *compression*, such as "lz4".

    Yields pieces of at most *piece_size* bytes. Raises DamagedArchive, and UnsupportedArchive when
    they are compressed again.
    """
    with closing(_RawStream(source, compression)) as stream:
        yield from stream.pieces(piece_size)
