"""Find the bytes that requests ask for: at once when they are decoded, else by way of a thread.

A block is decoded once, however many requests wait for it. Blocks are decoded ahead in two cases.
Where one file after another is opened, a build is at work, which will need the archive's hot
blocks. A reader who has needed one block after another will need the next one.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.source import Source
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Job
    from kheadersfs.store import Store

OPENS_OF_A_BUILD = 3
"""Files that are opened before the hot blocks are read ahead; a single look is no build."""

STRIDE = 2
"""How far apart two blocks may be that a reader waits for, and it still reads in order.

Such a reader waits for a block, finds the next one decoded ahead, and waits for the one behind it.
"""


class ContentServer:
    """Serves extents of one store's stream to the tasks of one loop.

    *source* is where the stored bytes come from.
    """

    def __init__(self, loop: Loop, store: Store, hot_blocks: int, source: Source) -> None:
        self._loop = loop
        self._store = store
        self._source = source
        self._hot_blocks = store.count_within_budget(hot_blocks)
        self._under_way: dict[int, Job[None]] = {}
        self._opens = 0
        self._awaited = -STRIDE - 1
        """The block that a reader waited for last."""
        self._last_used = monotonic()

    @property
    def hot_blocks(self) -> int:
        """How many blocks, the first ones, most builds read, as far as they fit the budget."""
        return self._hot_blocks

    @property
    def starts(self) -> Sequence[int]:
        """Where each block starts in the stream, and at last where that ends."""
        return self._store.starts

    def unused_since(self) -> float:
        """Return when something was decoded for the last time; now, while something is."""
        if not all(job.done for job in self._under_way.values()):
            self._last_used = monotonic()
        return self._last_used

    async def opened(self, start: int, size: int) -> bytes | memoryview:
        """Return the content of a file that was opened just now."""
        self._opens += 1
        if self._opens == 1 and self._source.is_far:
            # This may wait for the network, and so a thread does it.
            self._loop.run_in_thread(partial(self._source.expect, self._hot_blocks), ahead=True)
        if self._opens == OPENS_OF_A_BUILD:
            self.read_ahead()
        return await self.read(start, size)

    async def read(self, start: int, size: int) -> bytes | memoryview:
        """Return *size* bytes from *start* of the stream. Raises DamagedArchive."""
        content = self._store.get(start, size)
        if content is not None:
            return content
        for number in self._store.missing(start, size):
            job = self._decoding(number)
            self._follow(number)
            await job
        self._last_used = monotonic()
        content = self._store.get(start, size)
        if content is not None:
            return content
        # The budget is smaller than what this one request covers.
        return await self._loop.run_in_thread(partial(self._store.read, start, size))

    def read_here(self, start: int, size: int) -> bytes:
        """Do what read() does, in a worker thread. Raises DamagedArchive."""
        return self._store.read(start, size)

    def read_ahead(self) -> None:
        """Decode the hot blocks that nobody has asked for yet, after those that somebody has."""
        for number in range(self._hot_blocks):
            if not self._store.is_held(number) and number not in self._under_way:
                self._start(number, ahead=True)

    def _follow(self, number: int) -> None:
        """Decode ahead of one who goes through the archive in its order, as copying all does."""
        following = number + 1
        if 0 < number - self._awaited <= STRIDE and following < self._store.counters.blocks:
            job = self._under_way.get(following)
            if (job is None or job.done) and not self._store.is_held(following):
                self._start(following, ahead=True)
        self._awaited = number

    def _decoding(self, number: int) -> Job[None]:
        """Return the one job that decodes block *number*."""
        job = self._under_way.get(number)
        if job is None or job.done:
            return self._start(number, ahead=False)
        self._loop.hurry(job)
        return job

    def _start(self, number: int, ahead: bool) -> Job[None]:
        job = self._loop.run_in_thread(partial(self._decode, number), ahead)
        self._under_way[number] = job
        return job

    def _decode(self, number: int) -> None:
        """Runs in a worker thread."""
        if not self._store.is_held(number):
            self._store.decode(number)
