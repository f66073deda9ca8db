"""The part of the helper that answers requests for ranges, with trio."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import trio

from kheadersfs.errors import KheadersfsError
from kheadersfs.remote import address, protocol, settings
from kheadersfs.remote.early import Handover
from kheadersfs.remote.fetching import RemoteContent
from kheadersfs.remote.http import Client
from kheadersfs.remote.origins import origin_of
from kheadersfs.remote.spans import Extent

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from kheadersfs.remote.adopting import Adopted
    from kheadersfs.remote.cache import Cache


def load(place: str, cache: Cache) -> RemoteContent:
    """Return the file at *place*, not yet opened, after all credentials for it have been read.

    Raises UsageError, ArchiveUnavailable.
    """
    patience = settings.patience()
    origin = origin_of(place, patience)
    client = Client(address.shown(place), origin.target, patience)
    return RemoteContent(place, address.shown(place), origin, cache, client)


def answer(
    remote: RemoteContent,
    channels: Sequence[socket.socket],
    adopted: Adopted | None,
    handover: Handover,
) -> None:
    """Answer requests over *channels*, and first those in *handover*, until all are closed.

    Unless the other side has *adopted* what the cache has, the first reply has the file's size and
    a note as JSON, or says why the file cannot be opened.
    """
    server = _Server(remote, channels, adopted, handover)
    # A thread is needed because this process may have been forked where trio was running.
    loop = threading.Thread(target=trio.run, args=(server.run,))
    loop.start()
    loop.join()


class _Server:
    """Answers requests for *remote* over *channels*; see answer()."""

    def __init__(
        self,
        remote: RemoteContent,
        channels: Sequence[socket.socket],
        adopted: Adopted | None,
        handover: Handover,
    ) -> None:
        self._remote = remote
        self._channels = channels
        self._adopted = adopted
        self._handover = handover

    async def run(self) -> None:
        """Open the file, or take over what was adopted; then answer until all channels close."""
        streams = [
            trio.SocketStream(trio.socket.from_stdlib_socket(channel)) for channel in self._channels
        ]
        if self._adopted is not None:
            self._remote.take_over(self._adopted)
        elif not await self._open(streams[0]):
            return
        async with trio.open_nursery() as ahead:
            async with trio.open_nursery() as nursery:
                for number, stream in enumerate(streams):
                    begun = self._handover.requests.get(number, b"")
                    nursery.start_soon(self._serve, stream, ahead, begun)
                expected = [Extent(*values) for values in self._handover.expected]
                ahead.start_soon(self._remote.fetch_ahead, expected)
            ahead.cancel_scope.cancel()

    async def _open(self, stream: trio.SocketStream) -> bool:
        """Open the file, and send its size or the error over *stream*. Tell whether it is open."""
        try:
            await self._remote.open()
        except Exception as error:  # noqa: BLE001 - the other side raises it
            await stream.send_all(_failure(error))
            return False
        opened = {"size": self._remote.size, "note": self._remote.note}
        await stream.send_all(_success(json.dumps(opened).encode()))
        return True

    async def _serve(self, stream: trio.SocketStream, ahead: trio.Nursery, request: bytes) -> None:
        """Answer *request* if it is not empty, and then each request that *stream* brings."""
        try:
            request = request or await _receive(stream, protocol.REQUEST.size)
            while request:
                await stream.send_all(await self._reply(request, stream, ahead))
                request = await _receive(stream, protocol.REQUEST.size)
        except trio.BrokenResourceError:
            return

    async def _reply(self, request: bytes, stream: trio.SocketStream, ahead: trio.Nursery) -> bytes:
        """Return the reply to *request*; extents that it expects are fetched in *ahead*."""
        kind, offset, length, digest = protocol.REQUEST.unpack(request)
        try:
            if kind == protocol.ALL:
                await self._remote.keep_all(lambda count: stream.send_all(_progress(count)))
                return _success(b"")
            if kind == protocol.READ:
                return _success(await self._remote.read(Extent(offset, length, digest)))
            extents = await _receive(stream, offset * protocol.EXTENT.size)
            expected = [Extent(*values) for values in protocol.EXTENT.iter_unpack(extents)]
            ahead.start_soon(self._remote.fetch_ahead, expected)
            return _success(b"")
        except Exception as error:  # noqa: BLE001 - the other side raises it; this process goes on
            return _failure(error)


async def _receive(stream: trio.SocketStream, length: int) -> bytes:
    """Return *length* bytes of *stream*, none when it ends before that."""
    pieces: list[bytes] = []
    while length:
        piece = await stream.receive_some(length)
        if not piece:
            return b""
        pieces.append(bytes(piece))
        length -= len(piece)
    return b"".join(pieces)


def _progress(count: int) -> bytes:
    return protocol.REPLY.pack(protocol.PROGRESS, count)


def _success(content: bytes) -> bytes:
    return protocol.REPLY.pack(0, len(content)) + content


def _failure(error: Exception) -> bytes:
    if not isinstance(error, KheadersfsError):
        error = KheadersfsError(f"fetching failed: {error!r}; please report this")
    text = str(error).encode(errors="backslashreplace")[: protocol.LONGEST_MESSAGE]
    return protocol.REPLY.pack(error.exit_status, len(text)) + text
