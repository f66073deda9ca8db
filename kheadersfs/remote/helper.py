"""The process that fetches: what it needs open, then no rights but the network and the cache.

Source of what is kept in mind here: it reads answers of a server that nobody knows, with libraries
for TLS and HTTP. What it passes on is checked again by who asked.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from kheadersfs.forking import close_descriptors, connect_to_nothing
from kheadersfs.kernel.cache import own_directory
from kheadersfs.remote import settings
from kheadersfs.remote.cache import Cache
from kheadersfs.remote.early import EarlyAnswers, Handover

if TYPE_CHECKING:
    from kheadersfs.remote.adopting import Adopted
    from kheadersfs.remote.fetching import RemoteContent


def serve(place: str, channels: list[socket.socket], adopted: Adopted | None) -> None:
    """Fetch what is asked for of *place* until all *channels* are closed from the other side.

    Unless who asks has *adopted* what is known of it, says the size over the first of them, or what
    is wrong.
    """
    cache = Cache(settings.cache_directory(), settings.cache_size())
    with suppress(OSError):  # prepare() finds out why
        own_directory(cache.directory)
    cache.prepare()
    # Whoever waits for the end of a pipe or a terminal is not to wait for this process.
    close_descriptors({channel.fileno() for channel in channels}.__contains__)
    connect_to_nothing()
    os.chdir("/")
    handover = Handover({}, [])
    if adopted is None:
        remote = _load(place, cache)
    else:
        early = EarlyAnswers(adopted, cache, channels)
        remote, handover = early.answer_while(lambda: _load(place, cache)), early.handover
    from kheadersfs.remote.serving import answer  # 200 ms, while the cache answers
    from kheadersfs.sandbox.network import fetching_into
    from kheadersfs.sandbox.restrictions import restrict

    exceptions = fetching_into(cache.directory)
    restrict(2 * settings.LARGEST_WHOLE, user=os.geteuid(), but=exceptions)
    answer(remote, channels, adopted, handover)


def _load(place: str, cache: Cache) -> RemoteContent:
    """Return the file at *place*, with everything loaded that fetching takes."""
    from kheadersfs.remote.serving import load  # 200 ms, while the cache answers
    from kheadersfs.sandbox import network, restrictions  # noqa: F401 - for serve()

    _load_resolver()
    return load(place, cache)


def _load_resolver() -> None:
    """Load what the C library and Python load when a name is looked up for the first time."""
    try:
        socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    except OSError:
        return
