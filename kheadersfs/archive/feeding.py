"""How libarchive gets an archive's bytes, of which the latest can be looked at again.

What libarchive makes of a header is not always what the header says; see preamble.py.
"""

from __future__ import annotations

import ctypes
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source

READ_SIZE = 256 << 10
_KEPT = 64 << 10
"""Bytes: libarchive looks ahead of where it is, but never as far as this."""


class Feed:
    """Hands the bytes of *source* to libarchive, piece by piece.

    While ``holding`` is set, no piece is let go. An exception cannot pass through C, so it is kept
    in ``failure``, to be raised on the other side.
    """

    def __init__(self, source: Source) -> None:
        self.failure: Exception | None = None
        self.holding = True
        self._source = source
        self._end = 0
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def read(self, _archive: int, _context: int, buffer: ctypes.Array[ctypes.c_void_p]) -> int:
        """Point *buffer* to the next bytes and return how many there are."""
        try:
            piece = self._next()
        except Exception as error:  # noqa: BLE001 - raised again by MemberStream
            self.failure = error
            return -1
        buffer[0] = ctypes.cast(ctypes.c_char_p(piece), ctypes.c_void_p)
        return len(piece)

    def _next(self) -> bytes:
        length = self._source.available(self._end, READ_SIZE)
        piece = self._source.read_at(self._end, length)
        pieces = self._pieces
        while not self.holding and pieces and self._size - len(pieces[0]) >= _KEPT:
            self._size -= len(pieces.popleft())
        pieces.append(piece)
        self._size += length
        self._end += length
        return piece

    def at(self, position: int, length: int) -> bytes:
        """Return *length* bytes at *position* of the source, or as many as are still held."""
        start = self._end
        for piece in reversed(self._pieces):
            start -= len(piece)
            if start <= position:
                found = piece[position - start : position - start + length]
                if len(found) == length:
                    return found
                break
        else:
            return b""
        return b"".join(self._pieces)[position - self._end + self._size :][:length]

    def rest(self, position: int) -> Iterator[bytes]:
        """Yield what is at *position*, which must still be held, and behind it, to the end.

        Raises what the source raises.
        """
        yield self.at(position, self._end - position)
        while piece := self._next():
            yield piece
