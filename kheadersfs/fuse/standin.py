"""Stand in for trio, as far as pyfuse3 asks for it.

pyfuse3 asks its event loop for very little: wait until the descriptor is readable, start another
worker, hold a lock. Whatever does that can be put in trio's place, as pyfuse3.asyncio shows. trio
itself is not used here, because its import takes 50 ms and 10 MB, half of all that a mount costs,
and its scheduler costs more per request than the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Task


class _Lock:
    """Stands for trio.Lock: only one task is woken for a request, so there is nothing to lock."""

    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, *_: object) -> None:
        return


class _Named:
    """Stands for trio's current task, whose name pyfuse3 logs."""

    name = "kheadersfs"


class _ClosedResourceError(Exception):
    """Stands for trio.ClosedResourceError, which a loop has no occasion to raise."""


class TrioStandIn:
    """The module trio to pyfuse3, trio.lowlevel, and the one nursery of its main loop."""

    Lock = _Lock
    ClosedResourceError = _ClosedResourceError

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.lowlevel = self  # pyfuse3 says trio.lowlevel.wait_readable
        self.wait_readable = loop.wait_readable

    def current_task(self) -> type[_Named]:
        """Return something with a name."""
        return _Named

    def current_trio_token(self) -> None:
        """Return nothing: no other thread calls into the loop."""
        return

    def notify_closing(self, _descriptor: int) -> None:
        """Accept that the session is over; pyfuse3 has set its own flag."""

    def open_nursery(self) -> TrioStandIn:
        """Return what starts tasks: this."""
        return self

    async def __aenter__(self) -> TrioStandIn:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def start_soon(self, function: Callable[..., Task], *arguments: Any, name: str) -> None:
        """Keep a worker in reserve until all others wait for a thread."""
        del name
        self._loop.spare(lambda: function(*arguments))
