"""A source that never yields other bytes than those it had when it was opened.

A file that was checked can be changed in place afterwards, even while it is mounted. So the digest
of every chunk is noted while the whole is checked, and whatever is read later is held against it:
32 bytes of memory for every 64 KiB, and nothing has to be copied.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kheadersfs.archive.source import Source
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_SIZE = 64 << 10
_DIGEST_SIZE = 32


class PinnedSource(Source):
    """The bytes that *source* has now; ``digest`` is their SHA-256 in hexadecimal.

    *visit* is called with all of them, piece by piece.
    """

    __slots__ = ("_chunk_digests", "_source", "digest")

    def __init__(self, source: Source, visit: Callable[[bytes], object]) -> None:
        """Read all of *source*. Raises DamagedArchive."""
        super().__init__(source.name, source.size)
        self._source = source
        source.keep_all()
        whole = hashlib.sha256()
        chunk_digests = bytearray()
        for offset in range(0, source.size, CHUNK_SIZE):
            chunk = source.read_at(offset, min(CHUNK_SIZE, source.size - offset))
            whole.update(chunk)
            chunk_digests += hashlib.sha256(chunk).digest()
            visit(chunk)
        self._chunk_digests = bytes(chunk_digests)
        self.digest = whole.hexdigest()

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at. Raises DamagedArchive when the bytes are not the same any more."""
        if length <= 0:
            return b""
        first = offset // CHUNK_SIZE
        start = first * CHUNK_SIZE
        last = min(-(-(offset + length) // CHUNK_SIZE) * CHUNK_SIZE, self.size)
        content = self._source.read_at(start, max(last, offset + length) - start)
        for position in range(0, last - start, CHUNK_SIZE):
            number = first + position // CHUNK_SIZE
            expected = self._chunk_digests[number * _DIGEST_SIZE :][:_DIGEST_SIZE]
            if hashlib.sha256(content[position : position + CHUNK_SIZE]).digest() != expected:
                raise DamagedArchive(
                    f"{self.name}: was changed since it was checked, near offset "
                    f"{number * CHUNK_SIZE}; unmount it, and mount it again"
                )
        return content[offset - start :][:length]

    def close(self) -> None:
        """See Source.close."""
        self._source.close()
