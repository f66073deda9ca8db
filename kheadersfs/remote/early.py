"""Answers from the cache while the helper still loads its libraries, which takes 200 ms."""

from __future__ import annotations

import os
import select
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kheadersfs.remote import protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kheadersfs.remote.adopting import Adopted
    from kheadersfs.remote.cache import Cache

Loaded = TypeVar("Loaded")


class Handover(NamedTuple):
    """What was received early and is still to be done, when the libraries are loaded.

    ``requests`` has those without a reply, by the number of their channel. ``expected`` has the
    extents that will be asked for, as protocol.EXTENT has them: offset, length and SHA-256.
    """

    requests: dict[int, bytes]
    expected: list[tuple[int, int, bytes]]


class EarlyAnswers:
    """Answers requests over *channels* with what *cache* has of the *adopted* file."""

    def __init__(self, adopted: Adopted, cache: Cache, channels: Sequence[socket.socket]) -> None:
        self.handover = Handover({}, [])
        self._adopted = adopted
        self._cache = cache
        self._channels = channels
        self._poller = select.poll()

    def answer_while(self, load: Callable[[], Loaded]) -> Loaded:
        """Run *load* in a thread, answer requests until it has ended, and return its result.

        Raises what *load* raises. The thread has ended when this returns, so that the process may
        then give up its rights.
        """
        loaded: list[Loaded] = []
        failures: list[Exception] = []
        reading, writing = os.pipe()

        def run() -> None:
            try:
                loaded.append(load())
            except Exception as failure:  # noqa: BLE001 - raised again below
                failures.append(failure)
            os.close(writing)

        thread = threading.Thread(target=run)
        thread.start()
        self._answer_until(reading)
        thread.join()
        os.close(reading)
        if failures:
            raise failures[0]
        return loaded[0]

    def _answer_until(self, ended: int) -> None:
        """Answer until the pipe *ended* has no writer any more: then the thread has ended."""
        numbers = {channel.fileno(): number for number, channel in enumerate(self._channels)}
        for descriptor in numbers:
            self._poller.register(descriptor, select.POLLIN)
        self._poller.register(ended, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in self._poller.poll()]
            if ended in ready:
                return
            for descriptor in ready:
                if not self._answer(numbers[descriptor]):
                    self._poller.unregister(descriptor)

    def _answer(self, number: int) -> bool:
        """Answer the next request of a channel.

        Returns False when the channel has ended, or when the request had to be left for later and
        is in the handover.
        """
        channel = self._channels[number]
        request = _receive(channel, protocol.REQUEST.size)
        if not request:
            return False
        kind, offset, length, digest = protocol.REQUEST.unpack(request)
        content: bytes | None = None
        if kind == protocol.EXPECT:
            extents = _receive(channel, offset * protocol.EXTENT.size)
            self.handover.expected.extend(protocol.EXTENT.iter_unpack(extents))
            content = b""
        elif kind == protocol.READ:
            content = self._find(offset, length, digest)
        if content is None:
            self.handover.requests[number] = request
            return False
        channel.sendall(protocol.REPLY.pack(0, len(content)) + content)
        return True

    def _find(self, offset: int, length: int, digest: bytes) -> bytes | None:
        if self._adopted.whole is not None:
            return self._adopted.whole[offset : offset + length]
        return None if digest == protocol.ANY else self._cache.get(digest.hex())


def _receive(channel: socket.socket, length: int) -> bytes:
    """Return *length* bytes of *channel*, none when it ends before that."""
    received = channel.recv(length, socket.MSG_WAITALL) if length else b""
    return received if len(received) == length else b""
