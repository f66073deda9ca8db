"""The life of one mount: open, mount, serve, go idle, unmount, leave.

The archive is opened and the mount made before the process forks, so whatever can be wrong is
said by the command itself, with its exit status. The kernel queues requests from then on, so the
command returns at once; the server loads pyfuse3 and reads the archive while its user goes on.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import json
import os
import signal
import sys
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from kheadersfs._version import __version__
from kheadersfs.archive.opening import Archive, Content
from kheadersfs.errors import FuseUnavailable, KheadersfsError, RefusedArchive
from kheadersfs.fuse import mounting
from kheadersfs.fuse.serving import started_at
from kheadersfs.store import DEFAULT_BUDGET, Counters, Store
from kheadersfs.tree import Tree

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from kheadersfs.fuse.loop import Job
    from kheadersfs.fuse.operations import Served

DECODED_BLOCKS_KEPT = 30.0
"""Seconds after the last decoding until decoded blocks are let go; the kernel has the pages."""
BUSY_RETRY = 5.0
"""Seconds until an idle mount that was still in use is tried again."""


class ServeOptions(NamedTuple):
    """How an archive is served.

    ``owner`` is the (uid, gid) of everything in it; ``budget`` is in bytes of decoded content;
    ``idle_timeout`` in seconds, None for never; ``log`` a file's path, None for the system log.
    """

    owner: tuple[int, int] = (0, 0)
    budget: int = DEFAULT_BUDGET
    idle_timeout: float | None = None
    prefetch: bool = False
    strict: bool = False
    log: str | None = None
    record: str | None = None


def require_pyfuse3() -> None:
    """Check that pyfuse3 is installed, without the time it takes to load it.

    Raises FuseUnavailable.
    """
    if importlib.machinery.PathFinder.find_spec("pyfuse3") is None:
        raise FuseUnavailable("the Python package pyfuse3 is not installed: pip install pyfuse3")


def require_safe(content: Content) -> None:
    """Raise RefusedArchive when members of *content* had to be left out."""
    if content.refusals:
        raise RefusedArchive(
            f"{content.blocks.name}: {content.refusals[0]}; not mounted (--strict)"
        )


def fork_server(function: Callable[[], None]) -> int:
    """Fork a process in the background that calls *function*. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        if null > 2:
            os.close(null)
        function()
    finally:
        os._exit(1)


def serve(
    archive: Archive,
    device: Callable[[], int | None],
    mountpoint: str,
    options: ServeOptions,
    remove_mountpoint: bool = False,
) -> NoReturn:
    """Serve *archive* until it is unmounted, then end the process.

    *device* is called when everything is loaded and returns the descriptor to serve, None if there
    is none after all. *mountpoint* is empty when this process cannot see it.
    """
    from kheadersfs.fuse.log import open_log

    log = open_log(options.log)
    status = 1
    try:
        Session(archive, device, mountpoint, options, log).run()
        status = 0
        if remove_mountpoint:
            os.rmdir(mountpoint)
    except KheadersfsError as error:
        log.error("%s", error)
        status = error.exit_status
    except Exception:
        log.exception("%s: the server failed; please report this", mountpoint)
    finally:
        # Whoever waits for an answer gets an error now, and nobody finds a dead mount later.
        if status:
            _unmount_quietly(mountpoint, log)
        # Tearing down an interpreter takes 20 ms, and umount waits for the process to end.
        os._exit(status)


def _unmount_quietly(mountpoint: str, log: logging.Logger) -> None:
    try:
        if mountpoint:
            mounting.unmount(mountpoint, detach=True)
    except KheadersfsError as error:
        log.warning("%s", error)


def import_pyfuse3() -> None:
    """Import pyfuse3 without what it imports in vain: 60 of 80 ms, and 10 MB.

    It imports trio, which our loop stands in for, and importlib.metadata, for the sake of its own
    version number. Empty modules take their places meanwhile. (LazyLoader does not help: an
    import statement looks into the module and so loads it.)
    """
    metadata = ModuleType("importlib.metadata")
    metadata.PackageNotFoundError = LookupError  # type: ignore[attr-defined]
    metadata.version = lambda _name: "unknown"  # type: ignore[attr-defined]
    stand_ins = {"trio": ModuleType("trio"), "importlib.metadata": metadata}
    if "pyfuse3" in sys.modules:
        return
    for name in stand_ins.keys() & sys.modules.keys():
        del stand_ins[name]
    sys.modules.update(stand_ins)
    try:
        import pyfuse3  # noqa: F401 - for its effect; operations imports it again
    except ImportError as error:
        raise FuseUnavailable(f"pyfuse3 cannot be loaded: {error}; install it anew") from error
    finally:
        for name in stand_ins:
            del sys.modules[name]


class Session:
    """One mount being served by this process."""

    def __init__(
        self,
        archive: Archive,
        device: Callable[[], int | None],
        mountpoint: str,
        options: ServeOptions,
        log: logging.Logger,
    ) -> None:
        self._archive = archive
        self._device = device
        self._mountpoint = mountpoint
        self._options = options
        self._log = log
        self._started = self._last_open = monotonic()
        self._content: Content | None = None
        self._loading: Job[Served] | None = None
        self._served: Served | None = None
        self._store: Store | None = None
        self._started_at = started_at(os.getpid())
        self._resident = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def run(self) -> None:
        """Serve until the kernel says that the file system is gone."""
        import_pyfuse3()
        import pyfuse3

        from kheadersfs.fuse.loop import LARGEST_NUMBER_OF_TASKS, Loop
        from kheadersfs.fuse.operations import Operations

        device = self._device()
        if device is None:
            return
        loop = Loop(os.cpu_count() or 1, self._housekeeping)
        self._loop = loop
        self._operations = Operations(self._load, self._options.owner, self._status)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        pyfuse3.trio = loop  # type: ignore[attr-defined]  # as pyfuse3.asyncio.enable() does
        pyfuse3.init(self._operations, f"/dev/fd/{device}", set())
        if self._options.prefetch:
            loop.start(self._prefetch())
        loop.run(pyfuse3.main(1, LARGEST_NUMBER_OF_TASKS))
        self._write_record()

    async def _load(self) -> Served:
        """Return what to serve; the first request makes a thread read the archive's names."""
        if self._served is None:
            if self._loading is None:
                self._loading = self._loop.run_in_thread(self._read_archive)
            self._served = await self._loading
        return self._served

    def _read_archive(self) -> Served:
        """Runs in a worker thread."""
        from kheadersfs.fuse.content import ContentServer
        from kheadersfs.fuse.operations import Served

        content = self._archive.load()
        self._take(content)
        self._store = Store(content.blocks, self._options.budget)
        server = ContentServer(self._loop, self._store, content.hot_blocks)
        return Served(Tree(content.table), server, content.damage)

    def _take(self, content: Content) -> None:
        """Report what is odd about *content*."""
        for refusal in content.refusals:
            self._log.warning("%s: %s", self._archive.source.name, refusal)
        if content.damage:
            self._log.error("%s; what comes before it can be read", content.damage)
        if content.warning:
            self._log.warning("%s", content.warning)
        self._content = content

    async def _prefetch(self) -> None:
        try:
            served = await self._load()
        except KheadersfsError as error:
            self._log.error("%s", error)
        else:
            served.content.read_ahead()

    def _on_signal(self, _number: int, _frame: object) -> None:
        """Detach the mount: new users find nothing, open files stay readable until closed."""
        _unmount_quietly(self._mountpoint, self._log)

    def _housekeeping(self) -> float | None:
        """Let go of what is not needed any more. Returns seconds until there is more to do."""
        now = monotonic()
        waits = [self._release_blocks(now), self._leave_when_idle(now)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _release_blocks(self, now: float) -> float | None:
        if self._served is None or self._store is None or not self._store.counters.held:
            return None
        due = self._served.content.last_used + DECODED_BLOCKS_KEPT - now
        if due > 0:
            return due
        self._store.drop()
        # glibc keeps freed memory unless told otherwise.
        ctypes.CDLL(None).malloc_trim(0)
        return None

    def _leave_when_idle(self, now: float) -> float | None:
        if self._options.idle_timeout is None:
            return None
        if self._operations.open_files:
            self._last_open = now
        due = self._last_open + self._options.idle_timeout - now
        if due > 0:
            return due
        try:
            mounting.unmount(self._mountpoint, detach=False)
        except KheadersfsError:
            return BUSY_RETRY  # somebody's working directory, or a file opened just now
        return None

    def _status(self) -> bytes:
        """Return the JSON of the status attribute."""
        return json.dumps(self._figures()).encode()

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
            "release": content.release if content is not None else "",
            "arch": content.arch if content is not None else "",
            "members": len(content.table.inode_mode) if content is not None else 0,
            "refused": len(content.refusals) if content is not None else 0,
            "blocks": counters.blocks,
            "blocks_decoded": counters.decoded,
            "blocks_damaged": counters.damaged,
            "held_decoded": counters.held,
            "held_compressed": content.blocks.held if content is not None else 0,
        }
        return figures

    def _write_record(self) -> None:
        """Write the paths of the files that were opened, in order of first use."""
        if self._options.record is None or self._served is None:
            return
        with open(self._options.record, "wb") as record:
            for inode in self._operations.opened_inodes:
                record.write(self._served.tree.path(inode) + b"\n")
