"""Feeds an archive's bytes to libarchive, and holds the latest ones.

Headers are read again from the held bytes, because libarchive does not report all that they say;
see preamble.py.
"""

from __future__ import annotations

import ctypes
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source

READ_SIZE = 256 << 10
"""Bytes of a piece, at most."""
_KEPT = 64 << 10
"""Bytes that are held in front of the latest piece. libarchive reads ahead of the member that it
reports, but never as far as this."""


def next_piece(source: Source, offset: int) -> bytes:
    """Return the piece at *offset* of *source*, which is read in order; an empty one at its end.

    Raises what the source raises.
    """
    return source.read_at(offset, source.available(offset, READ_SIZE))


class Feed:
    """Hands bytes to libarchive, piece by piece: *ahead*, and then *source* from *offset* on.

    Positions are counted from the first byte handed over. While ``holding`` is true, no piece is
    dropped. An exception cannot pass through C. It is kept in ``failure``, and whoever called
    libarchive has to raise it.
    """

    def __init__(self, source: Source, offset: int = 0, ahead: bytes = b"") -> None:
        self.name = source.name
        self.failure: Exception | None = None
        self.holding = True
        self._source = source
        self._offset = offset
        self._ahead = ahead
        self._end = 0
        self._pieces: deque[bytes] = deque()
        self._size = 0

    def read(self, _archive: int, _context: int, buffer: ctypes.Array[ctypes.c_void_p]) -> int:
        """Point *buffer* to the next piece, and return its size. libarchive's read callback.

        Returns -1 when there is none because of a ``failure``.
        """
        try:
            piece = self._next()
        except Exception as error:  # noqa: BLE001 - raised again by EntryStream
            self.failure = error
            return -1
        buffer[0] = ctypes.cast(ctypes.c_char_p(piece), ctypes.c_void_p)
        return len(piece)

    def _next(self) -> bytes:
        """Return the next piece and hold it; drop old ones. Raises what the source raises."""
        piece = self._ahead
        if piece:
            self._ahead = b""
        else:
            piece = next_piece(self._source, self._offset)
            self._offset += len(piece)
        pieces = self._pieces
        while not self.holding and pieces and self._size - len(pieces[0]) >= _KEPT:
            self._size -= len(pieces.popleft())
        pieces.append(piece)
        self._size += len(piece)
        self._end += len(piece)
        return piece

    def at(self, position: int, length: int) -> bytes:
        """Return *length* bytes at *position*, or fewer where they are not held."""
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
        """Yield all bytes from *position*, which must still be held, to the end of the archive.

        Raises what the source raises.
        """
        yield self.at(position, self._end - position)
        while piece := self._next():
            yield piece
