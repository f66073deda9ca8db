"""Names and pages that the kernel has before a build asks for them.

A build asks for hundreds of headers, one after the other, and waits for each of its names and for
each open. So once one is recognised, a process of ours lists the directories that have hot headers,
which fills the kernel's cache of names, and a thread stores the pages of these headers in its page
cache. To open a file the kernel then need not ask either.

To that process, the lister, only hot headers are named: every name takes time, here and in the
kernel. It is the guardian of a mount, and a child of ``run``.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.answers import STORED_AT_OPEN
from kheadersfs.fuse.hot import HotEntry, HotFile, can_be_found, find_hot
from kheadersfs.fuse.included import find_included

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from kheadersfs.fuse.answers import Answers, Served
    from kheadersfs.fuse.content import ContentServer
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.mount.guardian import Guardian

OPENS_OF_A_BUILD = 8
"""Files that are opened before names and pages are given in advance. More than for decoding ahead:
while the guardian lists a directory, the mount is in use."""

COST_OF_LISTING = 3
"""Requests that to list a directory takes, and a little. A hot header that has not been listed
takes two, for its name and its pages, and a directory one."""

APART = 1 << 30
"""What positions of the lister have in them that no others have. Without OPENDIR the kernel keeps
listings, and puts together those whose positions meet."""

_STORE = struct.Struct("=IiQQQII")
"""Length, FUSE_NOTIFY_STORE, 0; node, offset, size, 0 (include/uapi/linux/fuse.h)."""
_NOTIFY_STORE = 4


class Advance:
    """What one mount gives the kernel in advance, once. It is the loop's thread that calls this.

    *is_indexed* tells whether the archive's index says what is hot. *device* is /dev/fuse, for the
    thread that stores pages: a page that somebody reads stays locked until the reader has his
    answer, so that thread may have to wait for the loop's.
    """

    def __init__(
        self,
        loop: Loop,
        answers: Answers,
        guardian: Guardian | None,
        device: int,
        is_indexed: bool,
        log: logging.Logger,
    ) -> None:
        self._loop = loop
        self._answers = answers
        self._guardian = guardian
        self._device = device
        self._is_indexed = is_indexed
        self._log = log
        self._opens = 0
        self._lister: int | None = None
        self._unlisted: dict[int, list[HotEntry]] = {}
        self._files: dict[int, HotFile] = {}
        self._listed: set[HotFile] = set()
        """Those whose names the kernel has, and whose pages it is to be given."""
        self._is_storing = False

    @property
    def has_begun(self) -> bool:
        """Whether names and pages are on their way to the kernel, or there."""
        return self._lister is not None

    def note_open(self, served: Served) -> None:
        """Take note that a file was opened, and begin if that makes a build."""
        self._opens += 1
        guardian = self._guardian
        if self._opens == OPENS_OF_A_BUILD and guardian is not None and self._may_begin(served):
            self._lister = guardian.pid
            self._loop.start(self._have_listed(served, guardian))

    async def begin_for(self, process: int) -> list[bytes]:
        """Begin, with *process* as the lister. Returns the paths that it has to list.

        There are none if nothing is hot, or another process is the lister. The same process may
        ask again. Raises DamagedArchive.
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
        """Tell whether *process* is the lister."""
        return process == self._lister

    def listing(self, directory: int, after: int) -> Iterator[HotEntry]:
        """Yield the hot headers of *directory* behind position *after*, at positions APART."""
        for position, name, inode in self._unlisted.get(directory, ()):
            if position | APART > after:
                yield HotEntry(position | APART, name, inode)

    def note_listed(self, directory: int) -> None:
        """Take note that somebody has listed all of *directory*: the kernel has its names."""
        entries = self._unlisted.pop(directory, None)
        if entries is None:
            return
        inodes = {entry.inode for entry in entries}
        self._listed.update(self._files[inode] for inode in inodes if inode in self._files)
        if not self._is_storing:
            self._is_storing = True
            self._loop.start(self._have_stored())

    def _may_begin(self, served: Served) -> bool:
        possible = served.content.hot_blocks or not self._is_indexed
        return bool(possible) and can_be_found(served.tree) and not self.has_begun

    async def _find(self, served: Served) -> None:
        """Find out what is hot, and which directories are to be listed for that."""
        content = served.content
        tree, largest = served.tree, STORED_AT_OPEN
        if self._is_indexed:
            find = partial(find_hot, tree, content.starts, content.hot_blocks, largest)
        else:
            find = partial(find_included, tree, content.read_here, largest)
        hot = await self._loop.run_in_thread(find)
        self._files = {file.inode: file for files in hot.blocks for file in files}
        self._unlisted = {
            directory: entries
            for directory, entries in hot.entries.items()
            if sum(1 + (entry.inode in self._files) for entry in entries) > COST_OF_LISTING
        }

    def _paths(self, served: Served) -> list[bytes]:
        """Return the paths of directories that have not been listed yet."""
        return [served.tree.path(number) for number in self._unlisted]

    async def _have_listed(self, served: Served, guardian: Guardian) -> None:
        try:
            await self._find(served)
            guardian.list(self._paths(served))
        except (KheadersfsError, MemoryError) as error:
            self._give_up(error)

    async def _have_stored(self) -> None:
        """Store the pages of what has been listed, and of what is listed meanwhile."""
        content = (await self._answers.serve()).content
        while self._listed:
            files, self._listed = sorted(self._listed), set()
            await self._have_these_stored(content, files)
        self._is_storing = False

    async def _have_these_stored(self, content: ContentServer, files: list[HotFile]) -> None:
        """Store the pages of *files*, which are in the order of the archive, block by block."""
        for _, group in groupby(files, lambda file: bisect_right(content.starts, file.start)):
            missing = [file for file in group if not self._answers.has_pages(file.inode)]
            if not missing:
                continue
            start, end = missing[0].start, missing[-1].start + missing[-1].size
            try:
                pages = memoryview(await content.read(start, end - start))
                store = partial(_store_all, self._device, pages, missing)
                for inode in await self._loop.run_apart(store):
                    self._answers.note_stored(inode)
            except (KheadersfsError, MemoryError) as error:
                self._give_up(error)  # whoever reads a file of that block hears of it

    def _give_up(self, error: Exception) -> None:
        self._log.debug("nothing was given to the kernel in advance: %s", error)


def _store_all(device: int, content: memoryview, files: list[HotFile]) -> list[int]:
    """Store the pages of *files*, of which *content* starts with the first.

    Returns the inodes of which the kernel took the pages: it does not if it has forgotten the name.
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
