"""Read an archive when the first request needs it, or before, and log what is wrong with it."""

from __future__ import annotations

from kheadersfs.bare import partial
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.content import Content
    from kheadersfs.archive.fleet.table import FleetTable
    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.readers import Reader
    from kheadersfs.bpf.vmlinux import Unavailable, VmlinuxHeader
    from kheadersfs.fuse.log import Log
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.fuse.workers import Job

LASTING = (DamagedArchive, RefusedArchive, UnsupportedArchive)
"""Errors for which the archive itself is the cause, so that to read it again would not help.
UnreadableArchive is a DamagedArchive, but is not lasting."""
PAGES_AHEAD = 8
"""Most pages of a table that are decoded ahead. One kernel's headers have 4. Each takes 5 ms."""


class Loading:
    """One archive, and what reading it has yielded.

    ``content``, ``store`` and ``served`` are None, and ``kernel`` is empty, until the archive has
    been read. ``failure`` is why the last attempt failed, empty if it did not. *header* becomes
    include/vmlinux.h.

    Methods are called in the loop's thread. A worker thread sets ``content``, ``store`` and
    ``kernel``, and changes none of them later.
    """

    def __init__(
        self,
        reader: Reader,
        options: ServeOptions,
        header: VmlinuxHeader | Unavailable,
        loop: Loop,
        log: Log,
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
        """Return what to serve. The first call has a worker thread read the archive's names.

        Raises what reading raises: KheadersfsError or MemoryError. After a lasting error the next
        call raises it again. After any other the next call has the archive read again.
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
        """Read the archive, and decode the first pages of its table, before a request needs them.

        With the option ``prefetch``, have the hot blocks decoded too. Errors are logged.
        """
        try:
            served = await self.load()
            if self._options.prefetch:
                served.content.read_ahead()
            if self.content is not None:
                await self._read_pages_ahead(self.content.table)
        except KheadersfsError as error:
            self._log.error("%s", error)
        except Exception:  # noqa: BLE001 - logged; a request that needs the archive gets its own
            self._log.exception("%s: failed; please report this", self.archive.source.name)

    async def _read_pages_ahead(self, table: Table | FleetTable) -> None:
        for number in range(min(len(table), PAGES_AHEAD)):
            await self._loop.run_in_thread(partial(table.page, number), ahead=True)

    def _read_archive(self) -> Served:
        """Read the archive. Runs in a worker thread."""
        content = self.reader.load()
        if self._options.strict:
            require_safe(content)
        self._report(content)
        self.content = content
        self.store = Store(content.blocks, self._options.budget)
        server = ContentServer(self._loop, self.store, content.hot_blocks, self.archive.source)
        tree = tree_of(content.table, self._options.kernel)
        self.kernel = kernel_of(content, tree, self._options.kernel)
        types = types_of(self._header, self.kernel.release, tree, self._loop, self._log)
        return Served(tree, server, content.damage, types, self.reader.digest(), self.kernel.arch)

    def _report(self, content: Content) -> None:
        """Log which members of *content* were left out, and what is wrong with the archive."""
        for refusal in content.refusals:
            self._log.warning("%s: %s", self.archive.source.name, refusal)
        for note in content.notes:
            self._log.warning("%s: %s", self.archive.source.name, note)
        if content.damage:
            self._log.error("%s; what comes before it can be read", content.damage)
        if content.warning:
            self._log.warning("%s", content.warning)


def _is_lasting(error: Exception) -> bool:
    """Tell whether to read the archive again would fail in the same way."""
    return isinstance(error, LASTING) and not isinstance(error, UnreadableArchive)
