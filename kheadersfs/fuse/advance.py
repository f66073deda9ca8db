"""Names and pages that the kernel has before a build asks for them.

A build asks for hundreds of headers, one after the other, and waits for each of its names and for
each open. So once one is recognised, the guardian lists the directories that have hot headers,
which fills the kernel's cache of names, and a thread stores the pages of these headers in its page
cache. Then the kernel need not ask before it opens a file either.

To the guardian only hot headers are named: every name takes time, here and in the kernel.
"""

from __future__ import annotations

import os
import struct
from functools import partial
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.answers import STORED_AT_OPEN
from kheadersfs.fuse.hot import Hot, HotFile, can_be_found, find_hot

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from kheadersfs.fuse.answers import Answers, Served
    from kheadersfs.fuse.hot import HotEntry
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.mount.guardian import Guardian

OPENS_OF_A_BUILD = 8
"""Files that are opened before names and pages are given in advance. More than for decoding ahead:
while the guardian lists a directory, the mount is in use."""

_STORE = struct.Struct("=IiQQQII")
"""Length, FUSE_NOTIFY_STORE, 0; node, offset, size, 0 (include/uapi/linux/fuse.h)."""
_NOTIFY_STORE = 4


class Advance:
    """What one mount gives the kernel in advance, once. It is the loop's thread that calls this.

    *device* is /dev/fuse, for the thread that stores pages: a page that somebody reads stays locked
    until the reader has his answer, so that thread may have to wait for the loop's.
    """

    def __init__(
        self, loop: Loop, answers: Answers, guardian: Guardian, device: int, log: logging.Logger
    ) -> None:
        self._loop = loop
        self._answers = answers
        self._guardian = guardian
        self._device = device
        self._log = log
        self._opens = 0
        self._hot: Hot | None = None
        self._unlisted: set[int] = set()
        self.is_complete = False
        """Whether the kernel has all there was to give."""

    def note_open(self, served: Served) -> None:
        """Take note that a file was opened, and begin if that makes a build."""
        self._opens += 1
        content = served.content
        if self._opens == OPENS_OF_A_BUILD and content.hot_blocks and can_be_found(served.tree):
            self._loop.start(self._have_listed(served))

    def is_for(self, process: int) -> bool:
        """Tell whether *process* is the one that lists directories because of this."""
        return self._hot is not None and process == self._guardian.pid

    def listing(self, directory: int, after: int) -> Iterator[HotEntry]:
        """Yield the hot headers of *directory* behind position *after*."""
        entries = self._hot.entries.get(directory, []) if self._hot is not None else []
        return (entry for entry in entries if entry.position > after)

    def note_listed(self, directory: int) -> None:
        """Take note that the kernel has the names in *directory*; after the last one store pages.

        It has taken them in when the lister closes the directory, not when they were sent.
        """
        self._unlisted.discard(directory)
        hot = self._hot
        if hot is not None and not self._unlisted:
            self._hot = None
            self._loop.start(self._have_stored(hot))

    async def _have_listed(self, served: Served) -> None:
        """Find out what is hot, and have those directories listed that have most of it first."""
        tree, content = served.tree, served.content
        find = partial(find_hot, tree, content.starts, content.hot_blocks, STORED_AT_OPEN)
        try:
            hot = await self._loop.run_in_thread(find)
            directories = sorted(hot.entries, key=lambda number: -len(hot.entries[number]))
            paths = {number: tree.path(number) for number in directories}
            self._unlisted = {number for number in directories if _is_plain(paths[number])}
            self._hot = hot
            for number in directories:
                if number in self._unlisted:
                    self._guardian.list(paths[number])
        except (KheadersfsError, MemoryError) as error:
            self._give_up(error)

    async def _have_stored(self, hot: Hot) -> None:
        """Store the pages of all hot headers, in the order of the archive."""
        served = await self._answers.serve()
        for files in filter(None, hot.blocks):
            start, end = files[0].start, files[-1].start + files[-1].size
            try:
                content = memoryview(await served.content.read(start, end - start))
                store = partial(_store_all, self._device, content, files)
                for inode in await self._loop.run_apart(store):
                    self._answers.note_stored(inode)
            except (KheadersfsError, MemoryError) as error:
                self._give_up(error)  # whoever reads a file of that block hears of it
        self.is_complete = True

    def _give_up(self, error: Exception) -> None:
        self._log.debug("nothing was given to the kernel in advance: %s", error)


def _is_plain(path: bytes) -> bool:
    """Tell whether the guardian, which reads a line, gets *path* as it is."""
    return b"\n" not in path and b"\\" not in path and path == path.strip(b" \t")


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
