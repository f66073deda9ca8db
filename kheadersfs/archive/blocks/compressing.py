"""Compress the blocks that are to be held while their reader waits for the decoder.

Threads that compress would take processors from the decoder. The reader of an archive of one block
waits for that decoder again and again, so it compresses a block whenever it waits. Blocks that are
left at the end are served uncompressed until there is time to compress them.
"""

from __future__ import annotations

import os
from collections import deque

from kheadersfs.archive.blocks.held import LEVEL, HeldBlocks, Uncompressed
from kheadersfs.archive.compression import zstd_coding
from kheadersfs.archive.threads import ThreadPool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future

BACKLOG = 128
"""Blocks that may wait to be compressed; threads compress what is more."""
UNDER_WAY = 16
"""Blocks that threads may be given before the first of them is done."""


class BlockCompressor:
    """Blocks in order, of which the latest may not be compressed yet. Not for use by two threads.

    ``held`` is how many bytes of compressed blocks there are, without those that threads make, and
    ``waiting`` how many bytes wait to be compressed.
    """

    def __init__(self) -> None:
        self._pool = ThreadPool(os.cpu_count(), "compress")
        self._stored: list[bytes] = []
        self._sizes: list[int] = []
        self._waiting: deque[int] = deque()
        self._under_way: deque[Future[int]] = deque()
        self.held = self.waiting = 0

    def put(self, content: bytes) -> None:
        """Hand over one block; waits while threads have too many."""
        self._waiting.append(len(self._stored))
        self._stored.append(Uncompressed(content))
        self._sizes.append(len(content))
        self.waiting += len(content)
        if len(self._waiting) > BACKLOG:
            if len(self._under_way) == UNDER_WAY:
                self.held += self._under_way.popleft().result()
            job = self._pool.submit(self._compress, self._next())
            self._under_way.append(job)

    def work(self) -> bool:
        """Compress one block, for a fraction of a millisecond. Returns False if none waits."""
        if not self._waiting:
            return False
        self.held += self._compress(self._next())
        return True

    def blocks(self, name: str) -> HeldBlocks:
        """Return all blocks. Those that still wait are compressed by whoever has them then."""
        for job in self._under_way:
            job.result()
        waiting, self._waiting = self._waiting, deque()
        return HeldBlocks(name, self._stored, self._sizes, waiting)

    def close(self) -> None:
        """End the threads. What they have not compressed yet is given up."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> int:
        number = self._waiting.popleft()
        self.waiting -= self._sizes[number]
        return number

    def _compress(self, number: int) -> int:
        """Put the compressed block where it was not. Returns its size."""
        stored = zstd_coding.encode_frame(self._stored[number], LEVEL)
        self._stored[number] = stored
        return len(stored)
