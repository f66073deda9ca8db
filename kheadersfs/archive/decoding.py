"""The stream that blocks decode to, read from front to back, decoded ahead on all cores."""

from __future__ import annotations

import os
from bisect import bisect_right
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

from kheadersfs.archive.source import Source
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from kheadersfs.archive.blocks import BlockTable

LARGEST_BLOCK = 64 << 20
"""Bytes up to which a block may be decoded in one piece; xz -T makes blocks of 24 MiB."""
DECODED_AHEAD = 8 << 20
"""Bytes that may be decoded before they are read, beyond the block that is next."""


def largest(blocks: BlockTable) -> int:
    """Return the decoded size of the largest of *blocks*, which has at least one."""
    starts = blocks.starts
    return max(end - start for start, end in pairwise(starts))


class DecodedStream(Source):
    """What *blocks* decode to, as a source that is read once, in order.

    Every byte has passed its block's checks before it is returned.
    """

    __slots__ = ("_blocks", "_content", "_number", "_pool", "_under_way")

    def __init__(self, blocks: BlockTable) -> None:
        super().__init__(blocks.name, blocks.total)
        self._blocks = blocks
        self._pool = ThreadPoolExecutor(os.cpu_count(), "decode")
        self._under_way: list[Future[bytes]] = []
        self._number = -1
        self._content = b""

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at. *offset* must be where the last read ended."""
        pieces: list[bytes] = []
        while length > 0:
            start = self._blocks.starts[self._number] if self._number >= 0 else 0
            piece = self._content[offset - start : offset - start + length]
            if not piece:
                self._advance()
                continue
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def available(self, offset: int, limit: int) -> int:
        """See Source.available: never beyond the block that *offset* is in."""
        starts = self._blocks.starts
        return (
            min(limit, starts[bisect_right(starts, offset)] - offset) if offset < self.size else 0
        )

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _advance(self) -> None:
        """Go on to the next block, and have those after it decoded meanwhile."""
        self._number += 1
        starts, count = self._blocks.starts, len(self._blocks)
        if self._number >= count:
            raise DamagedArchive(f"{self.name}: a member is cut off; make or fetch it again")
        following = self._number + len(self._under_way)
        while following < count and (
            following == self._number
            or starts[following + 1] - starts[self._number + 1] <= DECODED_AHEAD
        ):
            self._under_way.append(self._pool.submit(self._blocks.decode, following))
            following += 1
        self._content = self._under_way.pop(0).result()
