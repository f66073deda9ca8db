"""How blocks of a file are decoded: small ones in one call, large ones piece by piece."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source

CHUNK_SIZE = 256 << 10
"""Bytes of a stored block to read at once when it is decoded in pieces."""
QUICK_STORED, QUICK_DECODED = 2 << 20, 9 << 20
"""A block of no more bytes is decoded in one call, which cannot take long: what `pack` makes."""
PIECE_SIZE = 1 << 20
"""Bytes that a larger block decodes to between two looks at the time it takes."""


def is_quick(stored_size: int, decoded_size: int) -> bool:
    """Tell whether a block of these sizes, in bytes, is decoded in one call."""
    return stored_size <= QUICK_STORED and decoded_size <= QUICK_DECODED


def cut(stored: bytes) -> Iterator[bytes]:
    """Yield *stored* some at a time."""
    for position in range(0, len(stored), CHUNK_SIZE):
        yield stored[position : position + CHUNK_SIZE]


def chunks(source: Source, offset: int, size: int) -> Iterator[bytes]:
    """Yield *size* bytes of *source* from *offset*, some at a time."""
    for position in range(offset, offset + size, CHUNK_SIZE):
        yield source.read_at(position, min(CHUNK_SIZE, offset + size - position))
