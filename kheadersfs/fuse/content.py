"""Return the bytes of extents: at once if their blocks are decoded, else once a thread has done so.

A block is decoded once, however many requests wait for it. Blocks are decoded ahead in two cases.
Several opened files mean a build, and then the hot blocks are decoded. A reader that has waited for
one block after another will need the one that follows.
"""

from __future__ import annotations

from time import monotonic

from kheadersfs.bare import partial
from kheadersfs.errors import UnreadableArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.source import Source
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Job
    from kheadersfs.store import Store

OPENS_OF_A_BUILD = 3
"""Number of opened files after which the hot blocks are decoded ahead."""

STRIDE = 2
"""Greatest distance, in blocks, between two blocks that a reader waits for while it reads in order.

It is 2 because such a reader waits for a block, finds the next one decoded ahead, and waits for the
one after that.
"""


class ContentServer:
    """Serves extents of one store's stream to the tasks of one loop.

    An extent is an offset in the stream and a size, both in bytes. *hot_blocks* is how many of the
    first blocks are hot. *source* has the compressed bytes. Methods are called in the loop's thread
    if they do not say otherwise. Jobs use the store and the source only, which any thread may use.
    """

    def __init__(self, loop: Loop, store: Store, hot_blocks: int, source: Source) -> None:
        self._loop = loop
        self._store = store
        self._source = source
        self._hot_blocks = store.count_within_budget(hot_blocks)
        self._under_way: dict[int, Job[None]] = {}
        self._opens = 0
        self._awaited = -STRIDE - 1
        """Number of the block that a request has waited for last."""
        self._last_used = monotonic()
        self.hot_pages_are_stored = False
        """Whether the kernel has got the pages of hot files, so that it will not ask for them."""

    @property
    def hot_blocks(self) -> int:
        """How many of the first blocks are hot and fit into the budget together."""
        return self._hot_blocks

    @property
    def starts(self) -> Sequence[int]:
        """The offset in bytes at which each block starts in the stream, and the stream's end."""
        return self._store.starts

    def unused_since(self) -> float:
        """Return the monotonic time of the last decoding. It is now while a block is decoded."""
        if not all(job.done for job in self._under_way.values()):
            self._last_used = monotonic()
        return self._last_used

    async def read_opened(self, start: int, size: int) -> bytes | memoryview:
        """Return the content of a file that has just been opened. Raises what read() raises."""
        self._opens += 1
        if self._opens == 1 and self._source.is_far:
            await self._expect_hot_blocks()
        if self._opens == OPENS_OF_A_BUILD:
            self.read_ahead()
        return await self.read(start, size)

    async def _expect_hot_blocks(self) -> None:
        """Have the hot blocks fetched. They are begun with, so that none is asked for by itself."""
        try:
            # It is answered before anything is fetched, but by another process: hence the thread.
            await self._loop.run_in_thread(partial(self._source.expect, self._hot_blocks))
        except UnreadableArchive:
            return  # whoever reads is told

    async def read(self, start: int, size: int) -> bytes | memoryview:
        """Return *size* bytes from *start* of the stream.

        Raises DamagedArchive, and RefusedArchive when decoding takes too long.
        """
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
        # The budget has no room for all blocks of this extent, so some have been dropped again.
        return await self._loop.run_in_thread(partial(self._store.read, start, size))

    def read_here(self, start: int, size: int) -> bytes:
        """Return what read() returns, but decode in the calling thread, a worker thread."""
        return self._store.read(start, size)

    def read_ahead(self) -> None:
        """Have the hot blocks decoded that are not decoded, or about to be."""
        for number in range(self._hot_blocks):
            if not self._store.is_held(number) and number not in self._under_way:
                self._start(number, ahead=True)

    def _follow(self, number: int) -> None:
        """Have the block after *number* decoded ahead if the archive is being read in order.

        A program that copies all files reads it so.
        """
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
        """Start a job that decodes block *number*."""
        job = self._loop.run_in_thread(partial(self._decode, number), ahead)
        self._under_way[number] = job
        return job

    def _decode(self, number: int) -> None:
        """Decode block *number* if it is not held by now. Runs in a worker thread."""
        if not self._store.is_held(number):
            self._store.decode(number)
