"""The process that fetches. It keeps the network and the cache, and gives up all other rights.

It reads what unknown servers send, by large libraries for TLS and HTTP, and so must be expected to
be taken over. The process that asks checks again whatever it passes on.
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
    """Answer requests for ranges of *place* until the other side has closed all *channels*.

    Sends the file's size over the first channel, or the error, unless the other side has *adopted*
    what the cache has and knows the size. Raises KheadersfsError when fetching cannot begin.
    """
    cache = Cache(settings.cache_directory(), settings.cache_size())
    with suppress(OSError):  # prepare() notices too, and then nothing is kept
        own_directory(cache.directory)
    cache.prepare()
    # A process that reads a pipe to its end would wait for this one too if it kept the pipe open.
    close_descriptors({channel.fileno() for channel in channels}.__contains__)
    connect_to_nothing()
    os.chdir("/")
    handover = Handover({}, [])
    if adopted is None:
        remote = _load(place, cache)
    else:
        early = EarlyAnswers(adopted, cache, channels)
        remote, handover = early.answer_while(lambda: _load(place, cache)), early.handover
    from kheadersfs.remote.serving import answer  # loaded by _load() already
    from kheadersfs.sandbox.network import fetching_into
    from kheadersfs.sandbox.restrictions import restrict

    exceptions = fetching_into(cache.directory)
    restrict(2 * settings.LARGEST_WHOLE, user=os.geteuid(), but=exceptions)
    answer(remote, channels, adopted, handover)


def _load(place: str, cache: Cache) -> RemoteContent:
    """Return the file at *place*, and load all code that fetching needs before rights are given up.

    Raises UsageError, ArchiveUnavailable.
    """
    from kheadersfs.remote.serving import load  # 200 ms, in which the cache answers early
    from kheadersfs.sandbox import network, restrictions  # noqa: F401 - loaded for serve()

    _load_resolver()
    return load(place, cache)


def _load_resolver() -> None:
    """Have the C library and Python load what they load at the first look-up of a host name."""
    try:
        socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    except OSError:
        return
