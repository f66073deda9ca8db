"""Pass a decoded stream through a pipe, from the process that decodes it to the one that reads it.

The stream is written as messages: a byte that says what the message is, the length in bytes of what
follows (32 bits, little-endian), and that. After all pieces comes one message more, which says that
every check on the way was right, or what was wrong. A writer that has no such word, because the
file cannot be read just now, or because it was killed, closes the pipe.
"""

from __future__ import annotations

import os
import select
import struct

from kheadersfs.archive.compression.pieces import PIECE_SIZE
from kheadersfs.bare import deque
from kheadersfs.errors import (
    DamagedArchive,
    RefusedArchive,
    UnreadableArchive,
    UnsupportedArchive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kheadersfs.limits import Meter

HEADER = struct.Struct("<BI")
PIECE, END = 0, 1
"""What a message is. Any other number is the exit status of an error, whose text follows."""
LASTING = {kind.exit_status for kind in (DamagedArchive, RefusedArchive, UnsupportedArchive)}
"""The errors that are passed on: the archive itself causes them, whoever reads it."""
LONGEST_TEXT = 16 << 10
"""Bytes that the text of an error has at most."""


def longest(what: int) -> int:
    """Return how many bytes may follow the header of a message that is *what*."""
    return PIECE_SIZE if what == PIECE else LONGEST_TEXT


def write(pieces: Iterable[bytes], descriptor: int, ahead: int, meter: Meter) -> None:
    """Write *pieces* to *descriptor*, a pipe that does not block, and then how they ended.

    Up to *ahead* bytes of pieces are made before somebody reads them. *meter* counts them. Raises
    OSError when nobody will read them, UnreadableArchive.
    """
    outbox = _Outbox(descriptor)
    try:
        for piece in pieces:
            meter.count(len(piece))
            outbox.put(PIECE, piece)
            outbox.send(ahead)
    except UnreadableArchive:
        raise
    except (DamagedArchive, RefusedArchive, UnsupportedArchive) as error:
        text = str(error).encode(errors="surrogateescape")
        outbox.put(error.exit_status, text[:LONGEST_TEXT])
    else:
        outbox.put(END, b"")
    outbox.send(0)


class _Outbox:
    """Messages on their way into the pipe *descriptor*."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poller = select.poll()
        self._poller.register(descriptor, select.POLLOUT)
        self._waiting: deque[memoryview] = deque()
        self._size = 0

    def put(self, what: int, content: bytes) -> None:
        """Add a message that is *what*, with *content*."""
        for part in (HEADER.pack(what, len(content)), content):
            if part:
                self._waiting.append(memoryview(part))
                self._size += len(part)

    def send(self, most: int) -> None:
        """Write what the pipe takes, and wait until no more than *most* bytes are left.

        Raises OSError when nobody will read them.
        """
        while self._waiting and self._poller.poll(None if self._size > most else 0):
            part = self._waiting.popleft()
            written = os.write(self._descriptor, part)
            self._size -= written
            if written < len(part):
                self._waiting.appendleft(part[written:])
