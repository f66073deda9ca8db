"""Read what another process decodes; see piped.py for what it writes."""

from __future__ import annotations

import os
import select

from kheadersfs.archive.compression import piped
from kheadersfs.archive.compression.decoding import DecodedStream
from kheadersfs.errors import error_of_status


class WriterGone(Exception):
    """The pipe has ended without a word on the outcome, or has in it what no writer writes."""


class PipedStream(DecodedStream):
    """What another process decodes of the archive *name*, read from the pipe *descriptor*.

    The descriptor belongs to this object. What is read raises WriterGone besides what the other
    process has raised.
    """

    __slots__ = ("_descriptor", "_has_ended", "_poller")

    def __init__(self, name: str, descriptor: int) -> None:
        super().__init__(name, verified=False)
        self._descriptor = descriptor
        self._has_ended = False
        self._poller = select.poll()
        self._poller.register(descriptor, select.POLLIN)

    def close(self) -> None:
        """Close the pipe, which ends who writes to it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _next(self) -> bytes:
        """See DecodedStream._next. Raises WriterGone, RefusedArchive, UnsupportedArchive too."""
        if self._has_ended:
            return b""
        while not self._poller.poll(0) and self.meanwhile():
            pass
        what, length = piped.HEADER.unpack(self._read(piped.HEADER.size))
        if length > piped.longest(what):
            raise WriterGone
        content = self._read(length)
        if what == piped.PIECE and content:
            return content
        if what in piped.LASTING:
            raise error_of_status(what)(content.decode(errors="surrogateescape"))
        if what != piped.END or content:
            raise WriterGone
        self._has_ended = True
        return b""

    def _read(self, length: int) -> bytes:
        """Return the next *length* bytes. Raises WriterGone when there are fewer."""
        pieces: list[bytes] = []
        while length:
            piece = os.read(self._descriptor, length)
            if not piece:
                raise WriterGone
            pieces.append(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
