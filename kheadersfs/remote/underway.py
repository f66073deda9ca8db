"""What is being fetched: whoever wants it too waits for it, and it is fetched once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kheadersfs.remote.spans import Extent

    Events = dict[Extent, trio.Event]


class UnderWay:
    """The extents that are being fetched."""

    def __init__(self) -> None:
        self._events: Events = {}

    def __contains__(self, extent: Extent) -> bool:
        return extent in self._events

    async def wait_for(self, extent: Extent) -> None:
        """Wait until nobody fetches *extent*."""
        while (event := self._events.get(extent)) is not None:
            await event.wait()

    @contextmanager
    def fetching(self, extents: Sequence[Extent]) -> Iterator[Events]:
        """Let others wait for *extents*, which nobody else fetches, until the end of the block.

        Yields those that are waited for; one that has come is let go before by let_go().
        """
        events = {extent: trio.Event() for extent in extents}
        self._events.update(events)
        try:
            yield events
        finally:
            for extent in list(events):
                self.let_go(events, extent)

    def let_go(self, events: Events, extent: Extent) -> None:
        """Have nobody wait for *extent* any more, which is one of *events*."""
        del self._events[extent]
        events.pop(extent).set()
