"""Describe a server: which process it is, and the figures that ``kheadersfs status`` shows."""

from __future__ import annotations

import os
from itertools import islice
from time import monotonic

from kheadersfs._version import __version__
from kheadersfs.bare import dumps
from kheadersfs.fuse.recording import paths_of
from kheadersfs.mount.processes import started_at
from kheadersfs.store import Counters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.fuse.loading import Loading
    from kheadersfs.fuse.usage import Usage
    from kheadersfs.mount.guardian import Guardian
    from kheadersfs.sandbox.restrictions import Restrictions

_LATEST_FILES, _LONGEST_PATH = 8, 256
"""How many of the files that were opened last are named, and with how many bytes of their path."""
_PAGE_SIZE = os.sysconf("SC_PAGESIZE")


class Figures:
    """The figures of one server.

    It opens what it needs when it is made, because a server can open nothing once it has given up
    its rights.
    """

    def __init__(
        self,
        mountpoint: str,
        guardian: Guardian | None,
        loading: Loading,
        usage: Usage,
        keeps_processors_awake: bool,
    ) -> None:
        self._mountpoint = mountpoint
        self._guardian = guardian
        self._loading = loading
        self._usage = usage
        self._keeps_processors_awake = keeps_processors_awake
        self._started = monotonic()
        self._started_at = started_at(os.getpid())
        self._resident = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def server(self) -> bytes:
        """Return the value of SERVER_ATTRIBUTE: the pid, a space, and when the process started."""
        return b"%d %d" % (os.getpid(), self._started_at)

    def status(self, restrictions: Restrictions) -> bytes:
        """Return the value of STATUS_ATTRIBUTE, a JSON object.

        Sizes are in bytes, ``uptime`` is in seconds, and ``started_at`` in clock ticks since boot.
        """
        return dumps(self._of_server(restrictions) | self._of_archive()).encode()

    def _of_server(self, restrictions: Restrictions) -> dict[str, object]:
        """Return the figures of the process and its mount."""
        archive = self._loading.archive
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "archive": archive.source.name,
            "archive_size": archive.source.size,
            "compression": archive.compression,
            "mountpoint": self._mountpoint,
            "guardian": self._guardian.pid if self._guardian is not None else 0,
            "restrictions": restrictions.in_force,
            "restrictions_missing": restrictions.missing,
            "keeps_processors_awake": self._keeps_processors_awake,
            "uptime": round(monotonic() - self._started, 3),
            "requests": self._usage.requests.as_dict(),
            "open_files": self._usage.open_files,
            "last_opened": self._last_opened(),
            "resident": int(os.pread(self._resident, 256, 0).split()[1]) * _PAGE_SIZE,
        }

    def _last_opened(self) -> list[str]:
        """Return the paths of the files that were first opened last, the latest first."""
        served = self._loading.served
        if served is None:
            return []
        latest = islice(paths_of(served.tree, reversed(self._usage.opened)), _LATEST_FILES)
        # An extended attribute has at most 64 KiB. The end of a path says most about the file.
        return [os.fsdecode(path[-_LONGEST_PATH:]) for path in latest]

    def _of_archive(self) -> dict[str, object]:
        """Return the figures of the archive, which are empty or 0 until it has been read."""
        loading = self._loading
        content = loading.content
        counters = loading.store.counters if loading.store is not None else Counters(0, 0, 0, 0)
        return {
            "loaded": content is not None,
            "indexed": content is not None and content.indexed,
            "release": loading.kernel.release,
            "arch": loading.kernel.arch,
            "members": content.table.inodes if content is not None else 0,
            "refused": len(content.refusals) if content is not None else 0,
            "notes": content.notes if content is not None else [],
            "damage": content.damage if content is not None else loading.failure,
            "blocks": counters.blocks,
            "blocks_decoded": counters.decoded,
            "blocks_damaged": counters.damaged,
            "held_decoded": counters.held,
            "held_compressed": content.blocks.held if content is not None else 0,
        }
