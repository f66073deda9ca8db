"""A source that reports how far it has been read, for a display of progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class FollowedSource(Source):
    """Calls *read* after each read of *source*, with the end of that read and the size, in bytes.

    An archive without an index is read from front to back, so that this is its progress. If it has
    to be fetched before, *fetched* is called with the bytes that have come, and the size. Closing
    this closes *source*.
    """

    __slots__ = ("_fetched", "_read", "_source", "is_far")

    def __init__(
        self,
        source: Source,
        read: Callable[[int, int], None],
        fetched: Callable[[int, int], None],
    ) -> None:
        super().__init__(source.name, source.size)
        self._source = source
        self._read = read
        self._fetched = fetched
        self.is_far = source.is_far

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at."""
        piece = self._source.read_at(offset, length)
        self._read(offset + length, self.size)
        return piece

    def available(self, offset: int, limit: int) -> int:
        """See Source.available."""
        return self._source.available(offset, limit)

    def learn(self, extents: Iterable[tuple[int, int, bytes]]) -> None:
        """See Source.learn."""
        self._source.learn(extents)

    def expect(self, count: int) -> None:
        """See Source.expect."""
        self._source.expect(count)

    def keep_all(self, _tell: Callable[[int, int], None] | None = None) -> None:
        """See Source.keep_all."""
        self._source.keep_all(self._fetched)

    def close(self) -> None:
        """See Source.close."""
        self._source.close()
