"""Free memory, and unmount an idle mount, when no request has come for a while."""

from __future__ import annotations

from time import monotonic

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.memory import trim_heap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.fuse.loading import Loading
    from kheadersfs.fuse.log import Log
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.fuse.usage import Usage
    from kheadersfs.mount.guardian import Guardian

DECODED_BLOCKS_KEPT = 30.0
"""Seconds after the last decoding until decoded blocks are dropped; the kernel has their pages.

Where the server holds blocks compressed, it drops the decoded ones at the first quiet moment,
because each is decoded again in 0.1 ms. It drops the compressed ones after this time, because the
whole archive has to be read for them again. Hot blocks are dropped at the first quiet moment after
the kernel was given the pages of their files.
"""
BUSY_RETRY = 5.0
"""Seconds until the next attempt to unmount an idle mount that was still in use."""


class Housekeeping:
    """Does the housekeeping of one mount. All methods are called in the loop's thread.

    Each method returns the seconds until it has more to do, None if there will be nothing.
    """

    def __init__(
        self,
        loading: Loading,
        usage: Usage,
        options: ServeOptions,
        guardian: Guardian | None,
        log: Log,
    ) -> None:
        self._loading = loading
        self._usage = usage
        self._options = options
        self._guardian = guardian
        self._log = log
        self._trimmed = False

    def do(self) -> float | None:
        """Free what is not needed any more, and unmount if the mount is idle."""
        now = monotonic()
        waits = (self._release_blocks(now), self._release_types(now), self._leave_when_idle(now))
        return min((wait for wait in waits if wait is not None), default=None)

    def _release_blocks(self, now: float) -> float | None:
        """Drop blocks that have not been used for long, and give their memory to the kernel."""
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
        elif served.content.hot_pages_are_stored:
            released += store.drop(served.content.hot_blocks)
        if unused_for_long and not self._options.prefetch:
            released += blocks.release()
        if released or not self._trimmed:
            trim_heap()
            self._trimmed = True
        is_more_held = store.counters.held or blocks.held
        return wait if is_more_held and not unused_for_long else None

    def _release_types(self, now: float) -> float | None:
        """Drop the text of include/vmlinux.h when it has not been used for long."""
        served = self._loading.served
        if served is None or served.generated is None:
            return None
        return served.generated.release(now, DECODED_BLOCKS_KEPT)

    def _leave_when_idle(self, now: float) -> float | None:
        """Have the guardian unmount if no file has been open for the idle timeout."""
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
        # The guardian does not unmount what is in use, perhaps as somebody's working directory.
        return BUSY_RETRY
