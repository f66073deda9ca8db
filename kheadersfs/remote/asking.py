"""The reader's side: it starts the process that fetches, and asks it for ranges.

The sockets are made at the start. To ask, this process only reads and writes open descriptors,
which it may still do after it has given up all rights.
"""

from __future__ import annotations

import json
import os
import select
import socket
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import (
    ArchiveUnavailable,
    DamagedArchive,
    KheadersfsError,
    UnreadableArchive,
    error_of_status,
    escaped,
)
from kheadersfs.forking import fork
from kheadersfs.kernel.cache import require_own
from kheadersfs.remote import address, protocol, settings
from kheadersfs.remote.adopting import Adopted, adopt, is_fresh
from kheadersfs.remote.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = 1 << 20
"""Bytes that are read from a socket at once, at most."""


class RemoteFile:
    """The file at an address, read by way of the process that fetches.

    ``name`` is the address without what may be secret. ``size`` is in bytes. Any thread may ask for
    ranges; as many requests as there are channels are answered at the same time.
    """

    def __init__(self, place: str) -> None:
        """Start the process, and learn the file's size from it or from the cache.

        Raises UsageError when *place* is no usable address, and ArchiveUnavailable or another
        KheadersfsError when the file cannot be opened.
        """
        address.parse(place)
        settings.require_libraries(place)
        self.name = address.shown(place)
        self._patience = settings.patience()
        adopted = _adopt_fresh(place)
        self._pieces = {} if adopted is None else adopted.pieces
        pairs = [socket.socketpair() for _ in range(protocol.CHANNELS)]
        ours, theirs = zip(*pairs, strict=True)
        if fork() == 0:
            _become_helper(place, ours, theirs, adopted)
        for end in theirs:
            end.close()
        self._free: SimpleQueue[_Channel] = SimpleQueue()
        self._channels = [_Channel(end.detach(), self.name) for end in ours]
        if adopted is not None:
            self.size = adopted.known.size
        else:
            opened = _Opened(**json.loads(self._channels[0].receive(self._patience * 2)))
            self.size = opened.size
            if opened.note:
                os.write(2, f"kheadersfs: {escaped(opened.note)}\n".encode())
        for channel in self._channels:
            self._free.put(channel)

    def read(self, offset: int, length: int, digest: bytes = protocol.ANY) -> bytes:
        """Return *length* bytes from *offset*.

        *digest* is the SHA-256 that they must have, protocol.ANY if none is known. Raises
        UnreadableArchive when they cannot be fetched now, DamagedArchive when the server sends
        other bytes.
        """
        for piece, content in self._pieces.items():
            start = offset - piece.offset
            if 0 <= start <= piece.length - length:
                return content[start : start + length]
        request = protocol.REQUEST.pack(protocol.READ, offset, length, digest)
        content = self._ask(request, length)
        if len(content) != length:
            raise DamagedArchive(
                f"{self.name}: the process that fetches it sent {len(content)} bytes instead of "
                f"{length}; unmount it, and mount it again"
            )
        return content

    def expect(self, extents: list[tuple[int, int, bytes]]) -> None:
        """Have *extents* fetched in advance, as they will be read soon.

        Each is an offset, a length and a SHA-256. Those beyond protocol.MOST_EXTENTS are left out.
        Does not wait until they are fetched. Raises UnreadableArchive when the process has ended.
        """
        wanted = extents[: protocol.MOST_EXTENTS]
        request = protocol.REQUEST.pack(protocol.EXPECT, len(wanted), 0, protocol.ANY)
        self._ask(request + b"".join(protocol.EXTENT.pack(*extent) for extent in wanted), 0)

    def keep_all(self, tell: Callable[[int, int], None] | None = None) -> None:
        """Have the whole file fetched by one request, and wait for that. See Source.keep_all.

        Raises RefusedArchive when it is too large for that, UnreadableArchive when it cannot be
        fetched now.
        """
        request = protocol.REQUEST.pack(protocol.ALL, 0, 0, protocol.ANY)
        self._ask(request, self.size, tell and (lambda count: tell(count, self.size)))

    def _ask(self, request: bytes, length: int, tell: Callable[[int], None] | None = None) -> bytes:
        channel = self._free.get()
        try:
            channel.send(request)
            patience = protocol.allowed_seconds(self._patience, length)
            # The server may have closed a connection that was kept. Then the process asks it again,
            # and the reply takes up to twice the time of one answer.
            return channel.receive(2 * patience, tell)
        finally:
            self._free.put(channel)

    def close(self) -> None:
        """Close the sockets. The process that fetches ends when no process has them open."""
        for channel in self._channels:
            channel.close()


def _adopt_fresh(place: str) -> Adopted | None:
    """Return what the cache has of *place*, None if its server has to be asked first.

    Raises ArchiveUnavailable when other users can write to the cache.
    """
    directory = settings.cache_directory()
    try:
        require_own(directory)
    except OSError:
        return None
    adopted = adopt(Cache(directory, settings.cache_size()), place)
    return adopted if adopted is not None and is_fresh(place, adopted.known) else None


class _Opened(NamedTuple):
    """The first reply of the process: the file's size in bytes, and a note for the user or ""."""

    size: int
    note: str


class _Channel:
    """One socket. Each request waits for its reply before the next one is sent."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._poller = select.poll()
        self._poller.register(descriptor, select.POLLIN)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def send(self, request: bytes) -> None:
        """Send *request*. Raises UnreadableArchive when the process has ended."""
        try:
            while request:
                request = request[os.write(self._descriptor, request) :]
        except OSError as error:
            raise self._ended() from error

    def receive(self, patience: float, tell: Callable[[int], None] | None = None) -> bytes:
        """Return the content of the reply, which may take *patience* seconds and protocol.GRACE.

        *tell* is called with each number of bytes that a reply before it says. Raises the error
        that the reply says, or UnreadableArchive when there is none.
        """
        deadline = monotonic() + patience + protocol.GRACE
        status, length = self._receive_head(deadline)
        while status == protocol.PROGRESS:
            if tell is not None:
                tell(length)
            status, length = self._receive_head(deadline)
        content = self._read(length if status == 0 else min(length, 4096), deadline)
        if status == 0:
            return content
        text = content.decode(errors="replace")
        if status == ArchiveUnavailable.exit_status:
            raise UnreadableArchive(text)
        raise error_of_status(status)(text)

    def _receive_head(self, deadline: float) -> tuple[int, int]:
        status, length = protocol.REPLY.unpack(self._read(protocol.REPLY.size, deadline))
        return status, length

    def _read(self, length: int, deadline: float) -> bytes:
        pieces: list[bytes] = []
        while length:
            left = deadline - monotonic()
            if left <= 0 or not self._poller.poll(left * 1000):
                self.close()  # a late reply would be taken for the one to the next request
                raise UnreadableArchive(
                    f"{self._name}: the process that fetches it does not answer; unmount it, "
                    "and mount it again"
                )
            try:
                piece = os.read(self._descriptor, min(length, _PIECE))
            except OSError as error:
                raise self._ended() from error
            if not piece:
                raise self._ended()
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _ended(self) -> UnreadableArchive:
        return UnreadableArchive(
            f"{self._name}: the process that fetches it has ended; unmount it, and mount it again"
        )


def _become_helper(
    place: str,
    ours: tuple[socket.socket, ...],
    theirs: tuple[socket.socket, ...],
    adopted: Adopted | None,
) -> None:
    """Be the process that fetches, until the other side has closed all sockets. Never returns."""
    status = 1
    try:
        os.setsid()
        for end in ours:
            end.close()
        from kheadersfs.remote.helper import serve  # 10 ms, which only this process pays

        serve(place, list(theirs), adopted)
        status = 0
    except KheadersfsError as error:
        text = str(error).encode(errors="backslashreplace")[: protocol.LONGEST_MESSAGE]
        theirs[0].sendall(protocol.REPLY.pack(error.exit_status, len(text)) + text)
    except Exception:  # noqa: BLE001 - the forked process ends here, so nobody could catch it
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)
