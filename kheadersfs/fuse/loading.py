"""Read an archive when the first request needs it, or ahead of that, and log what is odd about
it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kheadersfs.errors import (
    DamagedArchive,
    KheadersfsError,
    RefusedArchive,
    UnreadableArchive,
    UnsupportedArchive,
)
from kheadersfs.fuse.answers import Served
from kheadersfs.fuse.content import ContentServer
from kheadersfs.fuse.identity import kernel_of
from kheadersfs.fuse.safety import require_safe
from kheadersfs.fuse.vmlinux import types_of
from kheadersfs.kernel.release import Kernel
from kheadersfs.store import Store
from kheadersfs.tree import tree_of

if TYPE_CHECKING:
    import logging

    from kheadersfs.archive.fleet.table import FleetTable
    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.readers import Content, Reader
    from kheadersfs.bpf.vmlinux import Unavailable, VmlinuxHeader
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.fuse.workers import Job

LASTING = (DamagedArchive, RefusedArchive, UnsupportedArchive)
"""Errors that the archive causes, so that reading it again would not help. Of DamagedArchive that
does not hold for UnreadableArchive."""
PAGES_AHEAD = 8
"""Pages of a table that are read ahead; one kernel's headers have 4. Each takes 5 ms."""


class Loading:
    """One archive, read once.

    What reading yields is None, or empty, until it has. ``failure`` is why it failed, empty if it
    did not. *header* becomes include/vmlinux.h.
    """

    def __init__(
        self,
        reader: Reader,
        options: ServeOptions,
        header: VmlinuxHeader | Unavailable,
        loop: Loop,
        log: logging.Logger,
    ) -> None:
        self.reader = reader
        self.archive = reader.archive
        self.content: Content | None = None
        self.kernel = Kernel("", "")
        self.store: Store | None = None
        self.served: Served | None = None
        self.failure = ""
        self._options = options
        self._header = header
        self._loop = loop
        self._log = log
        self._job: Job[Served] | None = None

    async def load(self) -> Served:
        """Return what to serve; the first request makes a thread read the archive's names.

        Another one does so again when the cause of a failure was not the archive.
        """
        if self.served is None:
            if self._job is None:
                self._job = self._loop.run_in_thread(self._read_archive)
            job = self._job
            try:
                self.served = await job
            except (KheadersfsError, MemoryError) as error:
                self.failure = str(error) or "there is not enough memory"
                if self._job is job and not _is_lasting(error):
                    self._job = None
                raise
            self.failure = ""
        return self.served

    async def load_ahead(self) -> None:
        """Read what an index says of a kernel's headers before somebody waits; with prefetch, all.

        Without an index and prefetch nothing is read before somebody looks.
        """
        try:
            served = await self.load()
            if self._options.prefetch:
                served.content.read_ahead()
            if self.content is not None:
                await self._read_pages_ahead(self.content.table)
        except KheadersfsError as error:
            self._log.error("%s", error)
        except Exception:  # noqa: BLE001 - logged; whoever looks gets an error of his own
            self._log.exception("%s: failed; please report this", self.archive.source.name)

    async def _read_pages_ahead(self, table: Table | FleetTable) -> None:
        for number in range(min(len(table), PAGES_AHEAD)):
            await self._loop.run_in_thread(partial(table.page, number), ahead=True)

    def _read_archive(self) -> Served:
        """Runs in a worker thread."""
        content = self.reader.load()
        if self._options.strict:
            require_safe(content)
        self._report(content)
        self.content = content
        self.store = Store(content.blocks, self._options.budget)
        server = ContentServer(self._loop, self.store, content.hot_blocks, self.archive.source)
        tree = tree_of(content.table, self._options.kernel)
        self.kernel = kernel_of(content, tree, self._options.kernel)
        types = types_of(self._header, self.kernel.release, tree, self._loop)
        return Served(tree, server, content.damage, types, self.reader.digest())

    def _report(self, content: Content) -> None:
        """Log what is odd about *content*."""
        for refusal in content.refusals:
            self._log.warning("%s: %s", self.archive.source.name, refusal)
        for note in content.notes:
            self._log.warning("%s: %s", self.archive.source.name, note)
        if content.damage:
            self._log.error("%s; what comes before it can be read", content.damage)
        if content.warning:
            self._log.warning("%s", content.warning)


def _is_lasting(error: Exception) -> bool:
    return isinstance(error, LASTING) and not isinstance(error, UnreadableArchive)
