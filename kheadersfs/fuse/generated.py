"""A generated file: it is in no archive, and a worker thread makes it when a request needs it.

Its content is dropped some time after it was last used, and is made again if need be.
"""

from __future__ import annotations

from time import monotonic

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.memory import trim_heap
from kheadersfs.records import Record
from kheadersfs.tree import BLOCK_SIZE, Attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.fuse.log import Log
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Job

POSITION = (1 << 31) - 1
"""The position of the file in the listing of its directory, behind all entries of the archive."""


class Place(Record):
    """Where the file is, and what is known of it before it is made.

    It is ``name`` in the directory with the inode number ``directory``. ``inode`` is its own
    number. ``mode`` is as in stat(2), and ``mtime`` is in nanoseconds.
    """

    directory: int
    name: bytes
    inode: int
    mode: int
    mtime: int


class GeneratedFile:
    """A generated file. Its methods are called in the loop's thread, *make* in a worker thread.

    *make* returns the content, which is always the same, or raises KheadersfsError. *absence* is
    the reason for which the file does not exist, empty if it does. The reason is logged when a
    request asks for the file by name.
    """

    def __init__(
        self, loop: Loop, log: Log, place: Place, make: Callable[[], bytes], absence: str
    ) -> None:
        self.place = place
        self._loop = loop
        self._log = log
        self._make = make
        self._absence = absence
        self._making: Job[bytes] | None = None
        self._size: int | None = None
        self._last_used = 0.0

    async def find(self, directory: int, name: bytes) -> Attributes | None:
        """Return the attributes if this file is *name* in *directory* and exists, else None."""
        if (directory, name) != (self.place.directory, self.place.name):
            return None
        return await self.attributes()

    async def attributes(self) -> Attributes | None:
        """Return the attributes, for whose size the file is made. Returns None if it cannot be."""
        if self._absence:
            self._log.warning("no %s: %s", self.place.name.decode(), self._absence)
            return None
        if self._size is None:
            try:
                await self._content()
            except KheadersfsError as error:
                self._absence = str(error)
                self._log.error("no %s: %s", self.place.name.decode(), error)
                return None
        return self.known_attributes()

    def is_listed(self, directory: int, after: int) -> bool:
        """Tell whether the file is in a listing of *directory* that begins behind *after*."""
        return directory == self.place.directory and after < POSITION and not self._absence

    @property
    def has_known_size(self) -> bool:
        """Whether the file has been made, after which its size stays the same."""
        return self._size is not None

    def known_attributes(self) -> Attributes:
        """Return the attributes, with size 0 until the file has been made."""
        size = self._size or 0
        blocks = -(-size // BLOCK_SIZE)
        return Attributes(self.place.inode, self.place.mode, 1, size, blocks, self.place.mtime)

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes from *offset*. Makes the file if its content is not held.

        Raises KheadersfsError if it cannot be made, and MemoryError.
        """
        return (await self._content())[offset : offset + size]

    def release(self, now: float, kept: float) -> float | None:
        """Drop the content if it has not been used for *kept* seconds. The kernel has its pages.

        *now* is the monotonic time in seconds. Returns the seconds until the content can be
        dropped, None if none is held.
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
        """Return the content, which one job makes for all tasks that wait for it."""
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
                self._making = None  # so that the next request tries again
            raise

    def _run(self) -> bytes:
        """Make the content. Runs in a worker thread."""
        content = self._make()
        self._size = len(content)
        trim_heap()  # making it takes several times its size
        return content
