"""Extents of a file, and those side by side that one request fetches, passed on as they come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class Extent(NamedTuple):
    """A range in bytes, and the SHA-256 that its content must have, or protocol.ANY."""

    offset: int
    length: int
    digest: bytes

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.length


def spans_of(extents: Iterable[Extent], largest: int) -> Iterator[list[Extent]]:
    """Yield *extents* in the order of the file, those side by side together.

    One has at most *largest* bytes, unless it is a single extent.
    """
    span: list[Extent] = []
    for extent in sorted(extents):
        if span and (extent.offset != span[-1].end or extent.end - span[0].offset > largest):
            yield span
            span = []
        span.append(extent)
    if span:
        yield span


class Cutter:
    """Hands each of *extents*, which lie side by side, to *take* as soon as all of it has come."""

    def __init__(self, extents: Sequence[Extent], take: Callable[[Extent, bytes], None]) -> None:
        self._waiting = deque(extents)
        self._take = take
        self._come = bytearray()

    def add(self, piece: bytes) -> None:
        """Add *piece*, which follows what has come."""
        self._come += piece
        while self._waiting and len(self._come) >= self._waiting[0].length:
            extent = self._waiting.popleft()
            content = bytes(self._come[: extent.length])
            del self._come[: extent.length]
            self._take(extent, content)
