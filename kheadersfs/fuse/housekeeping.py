"""What a server does when nothing has happened for a while: let go of memory, and leave."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.memory import trim_heap

if TYPE_CHECKING:
    import logging

    from kheadersfs.fuse.loading import Loading
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.fuse.usage import Usage
    from kheadersfs.mount.guardian import Guardian

DECODED_BLOCKS_KEPT = 30.0
"""Seconds after the last decoding until decoded blocks are let go; the kernel has the pages.

Those of blocks that are held compressed in memory are let go at the first quiet moment, being
decoded again in 0.1 ms each, and the compressed ones, which take a whole pass, after this time.
"""
BUSY_RETRY = 5.0
"""Seconds until an idle mount that was still in use is tried again."""


class Housekeeping:
    """The housekeeping of one mount. Each of its parts returns the seconds until it has more to do,
    None if it has not."""

    def __init__(
        self,
        loading: Loading,
        usage: Usage,
        options: ServeOptions,
        guardian: Guardian | None,
        log: logging.Logger,
    ) -> None:
        self._loading = loading
        self._usage = usage
        self._options = options
        self._guardian = guardian
        self._log = log
        self._trimmed = False

    def do(self) -> float | None:
        """Let go of what is not needed any more."""
        now = monotonic()
        waits = (self._release_blocks(now), self._release_types(now), self._leave_when_idle(now))
        return min((wait for wait in waits if wait is not None), default=None)

    def _release_blocks(self, now: float) -> float | None:
        """Let go of blocks that nobody needs. Returns the seconds until there may be more."""
        served, store, content = self._loading.served, self._loading.store, self._loading.content
        if served is None or store is None or content is None:
            return None
        blocks = content.blocks
        if blocks.compress_some():
            return 0.0
        wait = served.content.unused_since() + DECODED_BLOCKS_KEPT - now
        unused_for_long = wait <= 0
        released = 0
        if unused_for_long or blocks.held:
            released += store.drop()
        if unused_for_long and not self._options.prefetch:
            released += blocks.release()
        if released or not self._trimmed:
            trim_heap()
            self._trimmed = True
        is_more_held = store.counters.held or blocks.held
        return wait if is_more_held and not unused_for_long else None

    def _release_types(self, now: float) -> float | None:
        served = self._loading.served
        if served is None or served.generated is None:
            return None
        return served.generated.release(now, DECODED_BLOCKS_KEPT)

    def _leave_when_idle(self, now: float) -> float | None:
        """Have an idle mount undone. Returns the seconds until it is to be looked at again."""
        if self._options.idle_timeout is None or self._guardian is None:
            return None
        last_use = now if self._usage.open_files else self._usage.last_close
        due = last_use + self._options.idle_timeout - now
        if due > 0:
            return due
        try:
            self._guardian.unmount()
        except KheadersfsError as error:
            self._log.error("%s", error)
            return None
        return BUSY_RETRY  # somebody's working directory may be there, or a file opened just now
