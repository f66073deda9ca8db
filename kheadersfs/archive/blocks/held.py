"""Blocks that are held in memory, compressed: what one pass over an archive leaves behind.

When nobody has needed them for long they can be released, which gives their memory back while the
archive stays open. Whoever needs one again waits for another pass.
"""

from __future__ import annotations

from _thread import allocate_lock

from kheadersfs.archive.blocks.table import BlockTable
from kheadersfs.archive.compression import zstd_coding
from kheadersfs.bare import array
from kheadersfs.digests import sha256
from kheadersfs.errors import (
    DamagedArchive,
    RefusedArchive,
    UnreadableArchive,
    UnsupportedArchive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


LEVEL = 3
"""How well blocks are compressed, of zstd's levels."""
COMPRESSED_AT_ONCE = 16
"""Blocks that are compressed before somebody who asks meanwhile gets his answer: some 10 ms."""


class Uncompressed(bytes):
    """The content of a block that has not been compressed yet."""

    __slots__ = ()


class HeldBlocks(BlockTable):
    """The blocks of the archive *name*: each a zstd frame, or Uncompressed.

    The content of each was verified before it was put here, and a frame has a checksum of its own.
    *waiting* are the numbers of those that are Uncompressed. To compress them takes a processor
    from whoever has waited for the archive, so that is left to compress_some().
    """

    __slots__ = ("_again", "_digests", "_failure", "_lock", "_stored", "_waiting")

    def __init__(
        self,
        name: str,
        stored: list[bytes],
        decoded_sizes: list[int],
        waiting: Iterable[int] = (),
    ) -> None:
        super().__init__(name, decoded_sizes)
        # As a tuple, its numbers would stay behind among the small objects of one pass, and each
        # would keep the interpreter from returning a megabyte.
        self.starts = array("Q", self.starts)
        self._stored = stored
        self._waiting = list(waiting)
        self._again: Callable[[], HeldBlocks] | None = None
        self._digests = b""
        self._failure: str | None = None
        self._lock = allocate_lock()

    @property
    def held(self) -> int:
        """See BlockTable.held."""
        return sum(map(len, self._stored))

    def stored_size(self, number: int) -> int:
        """See BlockTable.stored_size."""
        return len(self.stored(number))

    def stored(self, number: int) -> bytes:
        """See BlockTable.stored. Raises DamagedArchive."""
        # The attribute is read once, because another thread may release the blocks in between.
        return (self._stored or self._restore())[number]

    def unpack(self, number: int, stored: bytes) -> bytes:
        """See BlockTable.unpack."""
        if isinstance(stored, Uncompressed):
            return stored
        return zstd_coding.decode_frame(stored, self.starts[number + 1] - self.starts[number])

    def compress_some(self) -> bool:
        """See BlockTable.compress_some."""
        with self._lock:
            for number in self._waiting[-COMPRESSED_AT_ONCE:]:
                self._stored[number] = zstd_coding.encode_frame(self._stored[number], LEVEL)
            del self._waiting[-COMPRESSED_AT_ONCE:]
            return bool(self._waiting)

    def allow_release(self, again: Callable[[], HeldBlocks]) -> None:
        """Make ``release`` work: *again* makes the same blocks from the archive once more."""
        self._again = again

    def release(self) -> int:
        """See BlockTable.release. Never waits for a thread that gets them back."""
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            released = self.held
            if self._again is None or not released or self._waiting:
                return 0
            self._digests = self._digests or _digests_of(self._stored)
            self._stored = []
            return released
        finally:
            self._lock.release()

    def frames(self) -> list[bytes]:
        """Compress what is not, and return all blocks as they are stored."""
        while self.compress_some():
            pass
        return self._stored

    def _restore(self) -> list[bytes]:
        """Get the blocks back. An archive that has changed since is an error, and stays one."""
        with self._lock:
            if self._stored or self._again is None:
                return self._stored
            if self._failure is not None:
                raise DamagedArchive(self._failure)
            try:
                self._stored = self._read_again(self._again)
            except UnreadableArchive:
                raise
            except DamagedArchive as error:
                self._failure = str(error)
                raise
            return self._stored

    def _read_again(self, again: Callable[[], HeldBlocks]) -> list[bytes]:
        """Return the blocks that another pass makes, if they are the same as before.

        Raises DamagedArchive. An archive that is now beyond a limit, as it was not before, raises
        UnreadableArchive, which is one too.
        """
        try:
            stored = again().frames()
        except UnsupportedArchive as error:
            raise self._changed() from error
        except RefusedArchive as error:
            raise UnreadableArchive(str(error)) from error
        if _digests_of(stored) != self._digests:
            raise self._changed()
        return stored

    def _changed(self) -> DamagedArchive:
        return DamagedArchive(
            f"{self.name}: was changed since it was mounted; unmount it, and mount it again"
        )


def _digests_of(stored: list[bytes]) -> bytes:
    """Return the SHA-256 of each block in one: what is equal compresses to equal bytes."""
    return b"".join(sha256(block).digest() for block in stored)
