"""A file that is in no archive. A thread makes it when somebody looks at it.

It is let go some time after it was last read.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.memory import trim_heap
from kheadersfs.tree import BLOCK_SIZE, Attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Job

log = logging.getLogger("kheadersfs")

POSITION = (1 << 31) - 1
"""Where the file is in the listing of its directory: behind all that the archive has there."""


class Place(NamedTuple):
    """Where the file is seen: ``name`` in the directory with inode number ``directory``.

    ``inode`` is its own number; ``mode`` and ``mtime`` (nanoseconds) are what stat(2) tells of it.
    """

    directory: int
    name: bytes
    inode: int
    mode: int
    mtime: int


class GeneratedFile:
    """One such file. *make* returns its content, or raises KheadersfsError.

    With an *absence*, a reason, it is not there, and who asks for it by name finds that in the log.
    """

    def __init__(self, loop: Loop, place: Place, make: Callable[[], bytes], absence: str) -> None:
        self.place = place
        self._loop = loop
        self._make = make
        self._absence = absence
        self._making: Job[bytes] | None = None
        self._size: int | None = None
        self._last_used = 0.0

    async def find(self, directory: int, name: bytes) -> Attributes | None:
        """Return the attributes if the file is what *name* in *directory* means, else None."""
        if (directory, name) != (self.place.directory, self.place.name):
            return None
        return await self.attributes()

    async def attributes(self) -> Attributes | None:
        """Return what stat(2) tells, for which the file is made; None if it cannot be."""
        if self._absence:
            log.warning("no %s: %s", self.place.name.decode(), self._absence)
            return None
        if self._size is None:
            try:
                await self._content()
            except KheadersfsError as error:
                self._absence = str(error)
                log.error("no %s: %s", self.place.name.decode(), error)
                return None
        return self.known_attributes()

    def is_listed(self, directory: int, after: int) -> bool:
        """Tell whether a listing of *directory* has the file behind position *after*."""
        return directory == self.place.directory and after < POSITION and not self._absence

    @property
    def has_known_size(self) -> bool:
        """Whether the file has been made, so that its size is known for good."""
        return self._size is not None

    def known_attributes(self) -> Attributes:
        """Return what stat(2) tells, with size 0 until the file has been made."""
        size = self._size or 0
        blocks = -(-size // BLOCK_SIZE)
        return Attributes(self.place.inode, self.place.mode, 1, size, blocks, self.place.mtime)

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes from *offset*, made anew if need be. Raises KheadersfsError."""
        return (await self._content())[offset : offset + size]

    def release(self, now: float, kept: float) -> float | None:
        """Let go of content that was not used for *kept* seconds; the kernel has the pages.

        Returns the seconds until that can be, None if there is no content.
        """
        if self._making is None or not self._making.done:
            return None
        due = self._last_used + kept - now
        if due > 0:
            return due
        self._making = None
        trim_heap()
        return None

    async def _content(self) -> bytes:
        """Return the content, which is made once for all who wait for it."""
        if self._absence:
            raise KheadersfsError(self._absence)
        if self._making is None:
            self._making = self._loop.run_in_thread(self._run)
        self._last_used = monotonic()
        making = self._making
        try:
            return await making
        except MemoryError:
            if self._making is making:
                self._making = None  # there may be more of it when somebody asks again
            raise

    def _run(self) -> bytes:
        """Runs in a worker thread."""
        content = self._make()
        self._size = len(content)
        trim_heap()  # what was needed meanwhile is several times as much
        return content
