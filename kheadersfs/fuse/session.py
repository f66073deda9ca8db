"""The life of one mount: load, give up all rights, serve, go idle, unmount, leave."""

from __future__ import annotations

import errno
import json
import os
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

import pyfuse3

from kheadersfs._version import __version__
from kheadersfs.errors import (
    DamagedArchive,
    KheadersfsError,
    RefusedArchive,
    UnreadableArchive,
    UnsupportedArchive,
    reason,
)
from kheadersfs.fuse.content import ContentServer
from kheadersfs.fuse.identity import encode, kernel_of
from kheadersfs.fuse.loop import LARGEST_NUMBER_OF_TASKS, Loop
from kheadersfs.fuse.memory import trim_heap
from kheadersfs.fuse.operations import Operations, Served
from kheadersfs.fuse.safety import require_safe
from kheadersfs.fuse.signals import Alarm, handle_signals
from kheadersfs.fuse.standin import TrioStandIn
from kheadersfs.fuse.vmlinux import types_of
from kheadersfs.kernel.release import Kernel
from kheadersfs.mount.asking import KERNEL_ATTRIBUTE, SERVER_ATTRIBUTE, STATUS_ATTRIBUTE
from kheadersfs.mount.processes import started_at
from kheadersfs.sandbox.restrictions import Restrictions, restrict
from kheadersfs.store import Counters, Store
from kheadersfs.tree import Tree

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.opening import Archive, Content
    from kheadersfs.bpf.vmlinux import Unavailable, VmlinuxHeader
    from kheadersfs.fuse.options import ServeOptions
    from kheadersfs.fuse.workers import Job
    from kheadersfs.mount.guardian import Guardian

DECODED_BLOCKS_KEPT = 30.0
"""Seconds after the last decoding until decoded blocks are let go; the kernel has the pages.

Those of blocks that are held compressed in memory are let go at the first quiet moment, being
decoded again in 0.1 ms each, and the compressed ones, which take a whole pass, after this time.
"""
LASTING = (DamagedArchive, RefusedArchive, UnsupportedArchive)
"""Errors whose cause is the archive: to read it again would not help. But see UnreadableArchive."""
LEAVES_AHEAD = 8
"""Of a table; one kernel's headers have 4. Each takes 5 ms."""
BUSY_RETRY = 5.0
"""Seconds until an idle mount that was still in use is tried again."""


class Session:
    """One mount being served by this process.

    *mountpoint* is empty when this process cannot see it; then there is no *guardian* either.
    *header* becomes include/vmlinux.h.
    """

    def __init__(
        self,
        archive: Archive,
        mountpoint: str,
        options: ServeOptions,
        guardian: Guardian | None,
        header: VmlinuxHeader | Unavailable,
        log: logging.Logger,
    ) -> None:
        self._archive = archive
        self._mountpoint = mountpoint
        self._options = options
        self._guardian = guardian
        self._header = header
        self._log = log
        self._started = monotonic()
        self._content: Content | None = None
        self._kernel = Kernel("", "")
        self._loading: Job[Served] | None = None
        self._failure = ""
        self._served: Served | None = None
        self._store: Store | None = None
        self._trimmed = False
        self._restrictions = Restrictions({}, [])
        self._started_at = started_at(os.getpid())
        self._resident = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._loop = Loop(os.cpu_count() or 1, self._housekeeping, Alarm())
        self._operations = Operations(
            self._load,
            options.owner,
            {
                STATUS_ATTRIBUTE.encode(): self._status,
                SERVER_ATTRIBUTE.encode(): self._server,
                KERNEL_ATTRIBUTE.encode(): lambda: encode(self._kernel),
            },
        )

    def run(self, device: int) -> None:
        """Give up all rights, then serve until the kernel says that the file system is gone.

        Nothing can be opened or imported from here on.
        """
        handle_signals(self._on_signal)
        pyfuse3.trio = TrioStandIn(self._loop)  # type: ignore[attr-defined]  # as pyfuse3.asyncio.enable() does
        pyfuse3.init(self._operations, f"/dev/fd/{device}", set())
        self._loop.watch(device)
        self._restrictions = restrict(self._options.budget)
        if self._mountpoint and self._guardian is None:
            self._restrictions.missing.append("guardian: none, so the server cannot unmount")
        for missing in self._restrictions.missing:
            self._log.warning("%s", missing)
        if self._options.prefetch or self._archive.is_indexed:
            self._loop.start(self._load_ahead())
        self._loop.run(pyfuse3.main(1, LARGEST_NUMBER_OF_TASKS))
        self._write_record()

    async def _load(self) -> Served:
        """Return what to serve; the first request makes a thread read the archive's names.

        Another one does so again when the cause of a failure was not the archive.
        """
        if self._served is None:
            if self._loading is None:
                self._loading = self._loop.run_in_thread(self._read_archive)
            loading = self._loading
            try:
                self._served = await loading
            except (KheadersfsError, MemoryError) as error:
                self._failure = str(error) or "there is not enough memory"
                if self._loading is loading and not _is_lasting(error):
                    self._loading = None
                raise
            self._failure = ""
        return self._served

    def _read_archive(self) -> Served:
        """Runs in a worker thread."""
        content = self._archive.load()
        if self._options.strict:
            require_safe(content)
        self._take(content)
        self._store = Store(content.blocks, self._options.budget)
        server = ContentServer(self._loop, self._store, content.hot_blocks)
        tree = Tree(content.table)
        self._kernel = kernel_of(content, tree)
        types = types_of(self._header, self._kernel.release, tree, self._loop)
        return Served(tree, server, content.damage, types, self._archive.digest())

    def _take(self, content: Content) -> None:
        """Report what is odd about *content*."""
        for refusal in content.refusals:
            self._log.warning("%s: %s", self._archive.source.name, refusal)
        for note in content.notes:
            self._log.warning("%s: %s", self._archive.source.name, note)
        if content.damage:
            self._log.error("%s; what comes before it can be read", content.damage)
        if content.warning:
            self._log.warning("%s", content.warning)
        self._content = content

    async def _load_ahead(self) -> None:
        """Read what an index says of a kernel's headers before somebody waits; with prefetch, all.

        Without an index and prefetch nothing is read before somebody looks.
        """
        try:
            served = await self._load()
            if self._options.prefetch:
                served.content.read_ahead()
            await self._read_leaves_ahead(served.tree.table)
        except KheadersfsError as error:
            self._log.error("%s", error)
        except Exception:  # noqa: BLE001 - logged; whoever looks gets an error of his own
            self._log.exception("%s: failed; please report this", self._archive.source.name)

    async def _read_leaves_ahead(self, table: Table) -> None:
        for number in range(min(len(table), LEAVES_AHEAD)):
            await self._loop.run_in_thread(partial(table.leaf, number), ahead=True)

    def _on_signal(self, _number: int, _frame: object) -> None:
        """Detach the mount: new users find nothing, open files stay readable until closed."""
        if self._guardian is None:
            return
        try:
            self._guardian.detach()
        except KheadersfsError as error:
            # The mount dies with this process; whoever mounts or unmounts here next removes it.
            self._log.error("%s", error)
            os._exit(error.exit_status)

    def _housekeeping(self) -> float | None:
        """Let go of what is not needed any more. Returns seconds until there is more to do."""
        now = monotonic()
        waits = [self._release_blocks(now), self._release_types(now), self._leave_when_idle(now)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _release_blocks(self, now: float) -> float | None:
        if self._served is None or self._store is None or self._content is None:
            return None
        blocks = self._content.blocks
        wait = self._served.content.unused_since() + DECODED_BLOCKS_KEPT - now
        unused_for_long = wait <= 0
        released = 0
        if unused_for_long or blocks.held:
            released += self._store.drop()
        if unused_for_long and not self._options.prefetch:
            released += blocks.release()
        if released or not self._trimmed:
            trim_heap()
            self._trimmed = True
        is_more_held = self._store.counters.held or blocks.held
        return wait if is_more_held and not unused_for_long else None

    def _release_types(self, now: float) -> float | None:
        if self._served is None or self._served.generated is None:
            return None
        return self._served.generated.release(now, DECODED_BLOCKS_KEPT)

    def _leave_when_idle(self, now: float) -> float | None:
        if self._options.idle_timeout is None or self._guardian is None:
            return None
        last_open = now if self._operations.open_files else self._operations.last_close
        due = last_open + self._options.idle_timeout - now
        if due > 0:
            return due
        try:
            self._guardian.unmount()
        except KheadersfsError as error:
            self._log.error("%s", error)
            return None
        return BUSY_RETRY  # somebody's working directory may be there, or a file opened just now

    def _status(self) -> bytes:
        """Return the JSON of the status attribute."""
        return json.dumps(self._figures()).encode()

    def _server(self) -> bytes:
        """Return the value of the server attribute."""
        return b"%d %d" % (os.getpid(), self._started_at)

    def _figures(self) -> dict[str, object]:
        content = self._content
        figures: dict[str, object]
        figures = {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "archive": self._archive.source.name,
            "archive_size": self._archive.source.size,
            "compression": self._archive.compression,
            "mountpoint": self._mountpoint,
            "guardian": self._guardian.pid if self._guardian is not None else 0,
            "restrictions": self._restrictions.in_force,
            "restrictions_missing": self._restrictions.missing,
            "keeps_processors_awake": self._loop.waiting.keeps_processors_awake,
            "uptime": round(monotonic() - self._started, 3),
            "requests": self._operations.requests.as_dict(),
            "open_files": self._operations.open_files,
            "resident": int(os.pread(self._resident, 256, 0).split()[1])
            * os.sysconf("SC_PAGESIZE"),
        }
        counters = self._store.counters if self._store is not None else Counters(0, 0, 0, 0)
        figures |= {
            "loaded": content is not None,
            "indexed": content is not None and content.indexed,
            "release": self._kernel.release,
            "arch": self._kernel.arch,
            "members": content.table.inodes if content is not None else 0,
            "refused": len(content.refusals) if content is not None else 0,
            "damage": content.damage if content is not None else self._failure,
            "blocks": counters.blocks,
            "blocks_decoded": counters.decoded,
            "blocks_damaged": counters.damaged,
            "held_decoded": counters.held,
            "held_compressed": content.blocks.held if content is not None else 0,
        }
        return figures

    def _write_record(self) -> None:
        """Write the paths of the files that were opened, in order of first use.

        Raises KheadersfsError.
        """
        if self._options.record is None:
            return
        try:
            with os.fdopen(self._options.record, "wb") as record:
                _empty(record)
                record.writelines(self._opened_paths())
        except OSError as error:
            raise KheadersfsError(f"the record cannot be written: {reason(error)}") from error

    def _opened_paths(self) -> Iterator[bytes]:
        """Yield a line for each file that was opened; the generated one is in no archive."""
        if self._served is not None:
            tree = self._served.tree
            for inode in self._operations.opened_inodes:
                if inode <= len(tree):
                    yield tree.path(inode) + b"\n"


def _empty(record: BinaryIO) -> None:
    """Remove what an earlier run wrote; in a pipe or a device nothing can be, and nothing is."""
    try:
        record.truncate(0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _is_lasting(error: Exception) -> bool:
    return isinstance(error, LASTING) and not isinstance(error, UnreadableArchive)
