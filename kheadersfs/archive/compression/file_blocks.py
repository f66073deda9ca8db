"""Blocks that lie in a file: where they are, and how they are decoded without taking too long.

A small block is decoded in one call, a large one piece by piece, so that its time can be limited.
"""

from __future__ import annotations

from kheadersfs.archive.blocks.table import BlockTable
from kheadersfs.limits import DEFAULT_LIMITS, Limits, Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Protocol

    from kheadersfs.archive.source import Source

    class StoredBlock(Protocol):
        """What the framing of a file says of one block."""

        @property
        def offset(self) -> int:
            """Where it is in the file, in bytes."""

        @property
        def stored_size(self) -> int:
            """How many bytes it takes there."""

        @property
        def decoded_size(self) -> int:
            """How many bytes it decodes to."""


_CHUNK_SIZE = 256 << 10
"""Bytes of a stored block to read at once when it is decoded in pieces."""
_QUICK_STORED, _QUICK_DECODED = 2 << 20, 9 << 20
"""A block of no more bytes, stored and decoded, is decoded in one call, which cannot take long.
Those that ``pack`` makes are no larger."""
_PIECE_SIZE = 1 << 20
"""Bytes that a larger block decodes to between two looks at the time it takes."""


class FileBlocks(BlockTable):
    """The blocks of a file. A class for each format adds how one of them is decoded."""

    __slots__ = ("_limits", "blocks", "source")

    def __init__(
        self, source: Source, blocks: Sequence[StoredBlock], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(source.name, (block.decoded_size for block in blocks))
        self.source = source
        self.blocks = blocks
        self._limits = limits

    def decode_whole(self, number: int, stored: bytes) -> bytes:
        """Return what *stored*, all of block *number*, decodes to. Raises ValueError."""
        raise NotImplementedError

    def decode_gradually(
        self, number: int, stored: Iterable[bytes], piece_size: int
    ) -> Iterator[bytes]:
        """Yield what *stored*, the block *number* in pieces, decodes to.

        No piece has more than *piece_size* bytes. Raises ValueError.
        """
        raise NotImplementedError

    def stored_size(self, number: int) -> int:
        """See BlockTable.stored_size."""
        return self.blocks[number].stored_size

    def stored_at(self, number: int) -> tuple[int, int]:
        """See BlockTable.stored_at."""
        block = self.blocks[number]
        return block.offset, block.stored_size

    def stored(self, number: int) -> bytes:
        """See BlockTable.stored."""
        return self.source.read_at(*self.stored_at(number))

    def unpack(self, number: int, stored: bytes) -> bytes:
        """See BlockTable.unpack."""
        if len(stored) <= _QUICK_STORED and self.blocks[number].decoded_size <= _QUICK_DECODED:
            return self.decode_whole(number, stored)
        watch = Stopwatch(self.name, self._limits).watch
        with self._large:
            pieces = self.decode_gradually(number, watch(_cut(stored)), _PIECE_SIZE)
            return b"".join(watch(pieces))

    def unpack_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """See BlockTable.unpack_pieces."""
        chunks = _read_chunks(self.source, *self.stored_at(number))
        return self.decode_gradually(number, chunks, piece_size)


def _cut(stored: bytes) -> Iterator[bytes]:
    """Yield *stored* some at a time."""
    for position in range(0, len(stored), _CHUNK_SIZE):
        yield stored[position : position + _CHUNK_SIZE]


def _read_chunks(source: Source, offset: int, size: int) -> Iterator[bytes]:
    """Yield *size* bytes of *source* from *offset*, some at a time."""
    for position in range(offset, offset + size, _CHUNK_SIZE):
        yield source.read_at(position, min(_CHUNK_SIZE, offset + size - position))
