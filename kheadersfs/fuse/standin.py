"""Stand in for trio, as far as pyfuse3 uses it.

pyfuse3 uses few functions of trio: wait until a descriptor is readable, start a task, hold a lock.
Another module may be put in trio's place, as pyfuse3.asyncio does. trio itself is not used, because
its import takes 50 ms and 10 MB, half of all that a mount costs, and its scheduler takes longer for
each request than the answer does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Task


class _Lock:
    """Stands for trio.Lock. It locks nothing, because the loop wakes one task for each request."""

    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, *_: object) -> None:
        return


class _Named:
    """Stands for trio's Task, whose name pyfuse3 logs."""

    name = "kheadersfs"


class _ClosedResourceError(Exception):
    """Stands for trio.ClosedResourceError, which pyfuse3 catches. The loop never raises it."""


class TrioStandIn:
    """Stands for the modules trio and trio.lowlevel, and for the nursery of pyfuse3.main().

    All methods are called in the loop's thread.
    """

    Lock = _Lock
    ClosedResourceError = _ClosedResourceError

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.lowlevel = self  # pyfuse3 says trio.lowlevel.wait_readable
        self.wait_readable = loop.wait_readable

    def current_task(self) -> type[_Named]:
        """Return an object that has a ``name``."""
        return _Named

    def current_trio_token(self) -> None:
        """Return None. pyfuse3 keeps it for threads that call its terminate(), and none does."""
        return

    def notify_closing(self, _descriptor: int) -> None:
        """Do nothing. pyfuse3.terminate() calls this, and has set a flag of its own before."""

    def open_nursery(self) -> TrioStandIn:
        """Return what stands for a nursery: this object."""
        return self

    async def __aenter__(self) -> TrioStandIn:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def start_soon(self, function: Callable[..., Task], *arguments: Any, name: str) -> None:
        """Have the loop start a task once all others wait for threads; see Loop.spare()."""
        del name
        self._loop.spare(lambda: function(*arguments))
