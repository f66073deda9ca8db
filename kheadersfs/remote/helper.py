"""The process that fetches: what it needs open, then no rights but the network and the cache.

Source of what is kept in mind here: it reads answers of a server that nobody knows, with libraries
for TLS and HTTP. What it passes on is checked again by who asked.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress

import trio

from kheadersfs.errors import KheadersfsError
from kheadersfs.forking import close_descriptors, connect_to_nothing
from kheadersfs.kernel.cache import own_directory
from kheadersfs.remote import address, protocol, settings
from kheadersfs.remote.adopting import Adopted
from kheadersfs.remote.cache import Cache
from kheadersfs.remote.fetching import Extent, RemoteContent
from kheadersfs.remote.http import Client
from kheadersfs.remote.origins import origin_of
from kheadersfs.sandbox.network import fetching_into
from kheadersfs.sandbox.restrictions import restrict


def serve(place: str, channels: list[socket.socket], adopted: Adopted | None) -> None:
    """Fetch what is asked for of *place* until all *channels* are closed from the other side.

    Unless who asks has *adopted* what is known of it, says the size over the first of them, or what
    is wrong.
    """
    patience = settings.patience()
    cache = Cache(settings.cache_directory(), settings.cache_size())
    with suppress(OSError):  # prepare() finds out why
        own_directory(cache.directory)
    cache.prepare()
    origin = origin_of(place, patience)
    client = Client(address.shown(place), origin.target, patience)
    remote = RemoteContent(place, address.shown(place), origin, cache, client)
    # Whoever waits for the end of a pipe or a terminal is not to wait for this process.
    close_descriptors({channel.fileno() for channel in channels}.__contains__)
    connect_to_nothing()
    os.chdir("/")
    _load_resolver()
    exceptions = fetching_into(cache.directory)
    restrict(2 * settings.LARGEST_WHOLE, user=os.geteuid(), but=exceptions)
    # In a thread of its own: this process may be a fork of one in which trio runs already.
    server = _Server(remote, channels, adopted)
    loop = threading.Thread(target=trio.run, args=(server.run,))
    loop.start()
    loop.join()


def _load_resolver() -> None:
    """Load what the C library and Python load when a name is looked up for the first time."""
    try:
        socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    except OSError:
        return


class _Server:
    """Answers over *channels* what is asked of *remote*."""

    def __init__(
        self, remote: RemoteContent, channels: list[socket.socket], adopted: Adopted | None
    ) -> None:
        self._remote = remote
        self._channels = channels
        self._adopted = adopted

    async def run(self) -> None:
        """Open the file and say so, or take it over; then answer until nobody asks any more."""
        streams = [
            trio.SocketStream(trio.socket.from_stdlib_socket(channel)) for channel in self._channels
        ]
        if self._adopted is not None:
            self._remote.take_over(self._adopted)
        elif not await self._open(streams[0]):
            return
        async with trio.open_nursery() as ahead:
            async with trio.open_nursery() as nursery:
                for stream in streams:
                    nursery.start_soon(self._serve, stream, ahead)
            ahead.cancel_scope.cancel()

    async def _open(self, stream: trio.SocketStream) -> bool:
        """Open the file, and say so over *stream*, or what is wrong. Returns whether it is open."""
        try:
            await self._remote.open()
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            await stream.send_all(_failure(error))
            return False
        opened = {"size": self._remote.size, "note": self._remote.note}
        await stream.send_all(_success(json.dumps(opened).encode()))
        return True

    async def _serve(self, stream: trio.SocketStream, ahead: trio.Nursery) -> None:
        try:
            while request := await _receive(stream, protocol.REQUEST.size):
                await stream.send_all(await self._reply(request, stream, ahead))
        except trio.BrokenResourceError:
            return

    async def _reply(self, request: bytes, stream: trio.SocketStream, ahead: trio.Nursery) -> bytes:
        kind, offset, length, digest = protocol.REQUEST.unpack(request)
        try:
            if kind == protocol.ALL:
                await self._remote.keep_all()
                return _success(b"")
            if kind == protocol.READ:
                return _success(await self._remote.read(Extent(offset, length, digest)))
            extents = await _receive(stream, offset * protocol.EXTENT.size)
            for values in protocol.EXTENT.iter_unpack(extents):
                ahead.start_soon(self._remote.read_ahead, Extent(*values))
            return _success(b"")
        except Exception as error:  # noqa: BLE001 - whoever asks is told, and the others go on
            return _failure(error)


async def _receive(stream: trio.SocketStream, length: int) -> bytes:
    """Return *length* bytes of *stream*, nothing when it has ended before."""
    pieces: list[bytes] = []
    while length:
        piece = await stream.receive_some(length)
        if not piece:
            return b""
        pieces.append(bytes(piece))
        length -= len(piece)
    return b"".join(pieces)


def _success(content: bytes) -> bytes:
    return protocol.REPLY.pack(0, len(content)) + content


def _failure(error: Exception) -> bytes:
    if not isinstance(error, KheadersfsError):
        error = KheadersfsError(f"fetching failed: {error!r}; please report this")
    text = str(error).encode(errors="backslashreplace")[: protocol.LONGEST_MESSAGE]
    return protocol.REPLY.pack(error.exit_status, len(text)) + text
