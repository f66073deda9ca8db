"""A relay to a server on the loopback that passes everything on later, where netem is not."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

import trio

_LARGEST = 64 << 10


class Relay:
    """A process that relays to *port*. Each way takes *delay* seconds, and so does a handshake.

    Entering the block returns the port that it listens at.
    """

    def __init__(self, port: int, delay: float) -> None:
        self._port = port
        self._delay = delay
        self._pid = 0

    def __enter__(self) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        self._pid = os.fork()
        if self._pid == 0:
            try:
                trio.run(self._serve, listener)
            finally:
                os._exit(1)
        listener.close()
        return port

    def __exit__(self, *_exception: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    async def _serve(self, listener: socket.socket) -> None:
        accepting = trio.SocketListener(trio.socket.from_stdlib_socket(_listening(listener)))
        await trio.serve_listeners(self._relay, [accepting])

    async def _relay(self, client: trio.SocketStream) -> None:
        begun = trio.current_time()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            server = await trio.open_tcp_stream("127.0.0.1", self._port)
            async with server, trio.open_nursery() as nursery:
                # The handshake, which the kernel has done at once, takes a round trip.
                nursery.start_soon(self._pass_on, client, server, begun + 2 * self._delay)
                await self._pass_on(server, client, begun)
                nursery.cancel_scope.cancel()

    async def _pass_on(
        self, source: trio.SocketStream, target: trio.SocketStream, earliest: float
    ) -> None:
        sender, receiver = trio.open_memory_channel[tuple[float, bytes]](1 << 16)

        async def send() -> None:
            async for due, piece in receiver:
                await trio.sleep_until(due)
                with suppress(trio.BrokenResourceError):
                    await target.send_all(piece)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            async with sender:
                with suppress(trio.BrokenResourceError):
                    while piece := await source.receive_some(_LARGEST):
                        arrived = max(trio.current_time(), earliest)
                        await sender.send((arrived + self._delay, bytes(piece)))


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(64)
    return listener
