"""Decompress an archive from front to back, ahead of whoever reads it.

Each archive is read to its very end, because checksums come last and nothing may be served before
they were right. libarchive would stop at the end of the last member, and does not look at gzip's
checksum.
"""

from __future__ import annotations

import os
from collections import deque

from kheadersfs.archive.compression.pieces import PIECE_SIZE, decode_in_pieces
from kheadersfs.archive.source import Source
from kheadersfs.archive.threads import ThreadPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.compression.kind import Compression
    from kheadersfs.limits import Limits

LARGEST_WHOLE_BLOCK = 32 << 20
"""Bytes up to which a block may be decoded in one piece; xz -T makes blocks of 24 MiB."""
DECODED_AHEAD = 4 << 20
"""Bytes that may be decoded before they are read."""


class DecodedStream(Source):
    """A source that is decoded meanwhile. Each read must begin where the last one ended.

    Its size is not known beforehand; ``available`` is 0 at its end. ``verified`` tells that every
    byte has passed the checks on it before it is returned, and not just when all is read.
    ``meanwhile`` is called, again and again, while a piece is awaited. It takes a fraction of a
    millisecond, and returns whether there was something to do.
    """

    __slots__ = ("_piece", "_piece_start", "meanwhile", "verified")

    def __init__(self, name: str, verified: bool) -> None:
        super().__init__(name, 0)
        self.verified = verified
        self.meanwhile: Callable[[], bool] = bool
        self._piece = b""
        self._piece_start = 0

    def available(self, offset: int, limit: int) -> int:
        """See Source.available. Raises DamagedArchive."""
        if offset == self._piece_start + len(self._piece):
            self._piece_start = offset
            self._piece = self._next()
        return min(limit, self._piece_start + len(self._piece) - offset)

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at; *length* is what ``available`` returned, or less."""
        start = offset - self._piece_start
        return self._piece[start : start + length]

    def finish(self) -> Iterator[int]:
        """Decode to the end, where the last checksums are; yield the size of each piece.

        Raises DamagedArchive.
        """
        while piece := self._next():
            yield len(piece)

    def _next(self) -> bytes:
        """Return the next piece, empty at the end. Raises DamagedArchive."""
        raise NotImplementedError


class DecodedInThreads(DecodedStream):
    """A stream that *threads* of this process decode."""

    __slots__ = ("_pool", "_under_way")

    def __init__(self, name: str, threads: int, verified: bool) -> None:
        super().__init__(name, verified)
        self._pool = ThreadPool(threads, "decode")
        self._under_way: deque[Future[bytes]] = deque()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> bytes:
        """See DecodedStream._next. Pieces after it are decoded meanwhile."""
        self._decode_ahead()
        if not self._under_way:
            return b""
        piece = self._under_way.popleft()
        while not piece.done() and self.meanwhile():
            pass
        return piece.result()

    def _decode_ahead(self) -> None:
        """Start decoding as much as may be under way."""
        raise NotImplementedError


class WholeBlocks(DecodedInThreads):
    """Several blocks, decoded on all cores, each checked before a byte of it is returned."""

    __slots__ = ("_blocks", "_following")

    def __init__(self, blocks: BlockTable) -> None:
        super().__init__(blocks.name, os.cpu_count() or 1, verified=True)
        self._blocks = blocks
        self._following = 0

    def _next(self) -> bytes:
        """See DecodedStream._next. A block may have nothing in it, and be followed by others."""
        piece = super()._next()
        while not piece and (self._under_way or self._following < len(self._blocks)):
            piece = super()._next()
        return piece

    def _decode_ahead(self) -> None:
        starts, following = self._blocks.starts, self._following
        first = following - len(self._under_way)
        while following < len(self._blocks) and (
            following == first or starts[following + 1] - starts[first + 1] <= DECODED_AHEAD
        ):
            self._under_way.append(self._pool.submit(self._blocks.decode, following))
            following += 1
        self._following = following


class Pieces(DecodedInThreads):
    """Something that can only be decoded in one go, piece by piece in a thread."""

    __slots__ = ("_pieces",)

    def __init__(self, name: str, pieces: Iterator[bytes]) -> None:
        super().__init__(name, threads=1, verified=False)
        self._pieces = pieces

    def _decode_ahead(self) -> None:
        while len(self._under_way) * PIECE_SIZE < DECODED_AHEAD:
            self._under_way.append(self._pool.submit(next, self._pieces, b""))


def open_stream(
    source: Source, kind: Compression, blocks: BlockTable | None, limits: Limits
) -> DecodedStream:
    """Return what *source*, of *kind*, decompresses to; *blocks* are its blocks, if known.

    Raises DamagedArchive, RefusedArchive when more is to be skipped first than *limits* allow.
    """
    if blocks is not None:
        numbers = range(len(blocks))
        if len(numbers) > 1 and blocks.largest(numbers) <= LARGEST_WHOLE_BLOCK:
            return WholeBlocks(blocks)
    return Pieces(source.name, decode_in_pieces(source, kind, blocks, limits))
