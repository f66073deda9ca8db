"""Decode what can only be decoded in one go, from front to back, a piece at a time."""

from __future__ import annotations

from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.compression.kind import Compression
    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits

PIECE_SIZE = 512 << 10
"""Bytes that a piece has at most."""


def decode_in_pieces(
    source: Source, kind: Compression, blocks: BlockTable | None, limits: Limits
) -> Iterator[bytes]:
    """Yield what *source*, of *kind*, decodes to; *blocks* are its blocks, if they are known.

    A checksum comes last: what was yielded before the end was not verified yet. Raises
    DamagedArchive, UnsupportedArchive, RefusedArchive.
    """
    if blocks is None:
        return kind.decompress(source, limits, PIECE_SIZE)
    pieces = (blocks.decode_pieces(number, PIECE_SIZE) for number in range(len(blocks)))
    return chain.from_iterable(pieces)
