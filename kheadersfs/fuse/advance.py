"""Give the kernel names and pages before a build asks for them.

A build opens hundreds of headers, one after the other. For each it waits until the server has
answered LOOKUP, OPEN and READ. The headers that most builds read are called hot. Once a build is
recognised, a second process, the lister, lists the directories that have hot headers. The answers
to READDIRPLUS fill the kernel's cache of names. Then the lister looks for the names that a compiler
looks for in vain, which the kernel caches too; see absent. Meanwhile a thread stores the pages of
the hot headers in the kernel's page cache. From then on the kernel also opens files without asking;
see relay.

The lister is shown hot headers only, because each further name costs time in the server and in the
kernel. For a mount the guardian is the lister, for ``run`` a child process; see run.lister.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from itertools import groupby

from kheadersfs.bare import partial, suppress
from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.answers import STORED_AT_OPEN
from kheadersfs.fuse.hot import HotEntry, HotFile, can_be_found, find_hot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kheadersfs.fuse.answers import Answers, Served
    from kheadersfs.fuse.content import ContentServer
    from kheadersfs.fuse.hot import Hot
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.fuse.workers import Job
    from kheadersfs.mount.guardian import Guardian
    from kheadersfs.tree import Tree

    FindIncluded = Callable[[Tree, Callable[[int, int], bytes], int, str], Hot]
    """What included.find_included() is."""

OPENS_OF_A_BUILD = 4
"""Number of opened files that makes a build. It is larger than content.OPENS_OF_A_BUILD, because
the mount cannot be unmounted while the guardian lists a directory."""

COST_OF_LISTING = 3
"""What the listing of one directory costs, in requests, rounded up. It is listed only if that saves
more: two requests for each hot header in it (LOOKUP and READ), and one for each directory."""

OF_LISTER = 1 << 30
"""The bit that only the lister's positions in a directory have. Where OPENDIR is not asked, the
kernel caches listings, and would continue a cached one at the same position. The lister's has hot
headers only, so no other listing may continue it."""

MOST_ABSENT = 512
"""How many names the lister looks for at most; for one kernel these are some 150."""

_STORE = struct.Struct("=IiQQQII")
"""Length, FUSE_NOTIFY_STORE, 0, node, offset, size, 0: ``struct fuse_out_header`` and
``fuse_notify_store_out`` of include/uapi/linux/fuse.h."""
_NOTIFY_STORE = 4


class Advance:
    """Gives the kernel names and pages in advance, once for each mount.

    All methods are called in the loop's thread. Pages are stored in another thread: the kernel
    locks a page while a process waits for READ of it, and so the thread that stores it may have to
    wait until the loop has answered that READ.

    *device* is the descriptor of /dev/fuse to which pages are written. *find_included* finds the
    hot headers where no index says which blocks are hot, and is None for archives with an index. It
    takes 50 ms, so that a build must have looked for a name in vain too. A compiler does, in the
    directories of its search path; whoever reads all files does not. Without a *guardian* only
    ``begin_for`` begins.
    """

    def __init__(
        self,
        loop: Loop,
        answers: Answers,
        guardian: Guardian | None,
        device: int,
        find_included: FindIncluded | None,
    ) -> None:
        self._loop = loop
        self._answers = answers
        self._guardian = guardian
        self._device = device
        self._find_included = find_included
        self._opens = 0
        self._is_recognizable = find_included is None
        self._lister: int | None = None
        self._finding: Job[Hot] | None = None
        """Finds the hot headers; None until it is begun, and again once its outcome is known."""
        self._unlisted: dict[int, list[HotEntry]] = {}
        """What the lister is shown, for each directory that no process has listed yet."""
        self._absent: list[bytes] = []
        """The paths that the lister is to look for."""
        self._files: dict[int, HotFile] = {}
        """The hot headers, by inode number."""
        self._listed: set[HotFile] = set()
        """Files whose names the kernel has, and whose pages are to be stored."""
        self._is_storing = False

    @property
    def has_begun(self) -> bool:
        """Whether there is a lister, so that the kernel has names and pages, or soon will."""
        return self._lister is not None

    def prepare(self, served: Served) -> None:
        """Have the hot headers found before a build needs them, if the index says which they are.

        A compiler needs longer to load than that takes. A failure is raised once they are needed.
        """
        if self._find_included is None and self._may_begin(served):
            self._finding = self._begin_to_find(served)

    def note_missing(self) -> None:
        """Take note that a name was looked for that does not exist."""
        self._is_recognizable = True

    def note_open(self, served: Served) -> None:
        """Count an opened file. Have the guardian list directories once a build is recognised."""
        self._opens += 1
        guardian = self._guardian
        if (
            self._opens >= OPENS_OF_A_BUILD
            and self._is_recognizable
            and guardian is not None
            and self._may_begin(served)
        ):
            self._lister = guardian.pid
            self._loop.start(self._have_listed(served, guardian))

    async def begin_for(self, process: int) -> list[bytes]:
        """Make the process with pid *process* the lister. Returns the paths that it has to ask for.

        It lists those that end with a slash, and looks for the others. Returns no paths if nothing
        is hot, or if another process is the lister. The lister may ask again, and gets only those
        directories that have not been listed yet. Raises what reading the archive raises,
        DamagedArchive above all.
        """
        served = await self._answers.serve()
        if self.is_for(process):
            return self._paths(served)
        if not self._may_begin(served):
            return []
        self._lister = process
        await self._find(served)
        return self._paths(served)

    def is_for(self, process: int) -> bool:
        """Tell whether the process with pid *process* is the lister."""
        return process == self._lister

    def listing(self, directory: int, after: int) -> Iterator[HotEntry]:
        """Yield the entries that the lister gets of *directory* behind position *after*.

        These are hot headers and the directories that lead to some. Their positions have OF_LISTER.
        """
        for position, name, inode in self._unlisted.get(directory, ()):
            if position | OF_LISTER > after:
                yield HotEntry(position | OF_LISTER, name, inode)

    def note_listed(self, directory: int) -> None:
        """Store the hot headers of *directory*, whose names the kernel has from a full listing.

        It does not matter which process has listed the directory.
        """
        entries = self._unlisted.pop(directory, None)
        if entries is None:
            return
        inodes = {entry.inode for entry in entries}
        self._listed.update(self._files[inode] for inode in inodes if inode in self._files)
        if not self._is_storing:
            self._is_storing = True
            self._loop.start(self._have_stored())

    def _may_begin(self, served: Served) -> bool:
        """Tell whether no process is the lister yet, and hot headers can be found."""
        if self.has_begun:
            return False
        possible = served.content.hot_blocks or self._find_included is not None
        return bool(possible) and can_be_found(served.tree)

    def _begin_to_find(self, served: Served) -> Job[Hot]:
        """Have a thread find the hot headers, after the jobs that requests wait for."""
        content = served.content
        tree, largest, arch = served.tree, STORED_AT_OPEN, served.arch
        if self._find_included is None:
            find = partial(find_hot, tree, content.starts, content.hot_blocks, largest, arch)
        else:
            find = partial(self._find_included, tree, content.read_here, largest, arch)
        return self._loop.run_in_thread(find, ahead=True)

    async def _find(self, served: Served) -> None:
        """Find the hot headers, and the directories whose listing saves requests."""
        job, self._finding = self._finding or self._begin_to_find(served), None
        self._loop.hurry(job)
        hot = await job
        self._files = {file.inode: file for files in hot.blocks for file in files}
        self._unlisted = {
            directory: entries
            for directory, entries in hot.entries.items()
            if sum(1 + (entry.inode in self._files) for entry in entries) > COST_OF_LISTING
        }
        self._absent = hot.absent[:MOST_ABSENT]

    def _paths(self, served: Served) -> list[bytes]:
        """Return the paths that the lister has to ask for, as begin_for() does."""
        unlisted = [served.tree.path(number) + b"/" for number in self._unlisted]
        return unlisted + self._absent

    async def _have_listed(self, served: Served, guardian: Guardian) -> None:
        """Tell *guardian* what to ask for. A failure costs speed only."""
        with suppress(KheadersfsError, MemoryError):
            await self._find(served)
            guardian.ask_for(self._paths(served))

    async def _have_stored(self) -> None:
        """Store the pages of all files in ``_listed``, also of those that are added meanwhile."""
        content = (await self._answers.serve()).content
        while self._listed:
            files, self._listed = sorted(self._listed), set()
            await self._have_these_stored(content, files)
        self._is_storing = False
        content.hot_pages_are_stored = True

    async def _have_these_stored(self, content: ContentServer, files: list[HotFile]) -> None:
        """Store the pages of *files*, block by block. *files* are in the order of the stream."""
        for _, group in groupby(files, lambda file: bisect_right(content.starts, file.start)):
            missing = [file for file in group if not self._answers.has_pages(file.inode)]
            if not missing:
                continue
            start, end = missing[0].start, missing[-1].start + missing[-1].size
            # Whoever reads a file of a damaged block gets the error.
            with suppress(KheadersfsError, MemoryError):
                pages = memoryview(await content.read(start, end - start))
                store = partial(_store_all, self._device, pages, missing)
                for inode in await self._loop.run_apart(store):
                    self._answers.note_stored(inode)


def _store_all(device: int, content: memoryview, files: list[HotFile]) -> list[int]:
    """Store the pages of *files*. *content* begins with the first file's.

    Returns the inodes whose pages the kernel has taken. It takes none of an inode that it has
    forgotten.
    """
    stored: list[int] = []
    first = files[0].start
    for start, size, inode in files:
        header = _STORE.pack(_STORE.size + size, _NOTIFY_STORE, 0, inode, 0, size, 0)
        try:
            os.writev(device, (header, content[start - first : start - first + size]))
        except OSError:
            continue
        stored.append(inode)
    return stored
