"""Adapt pyfuse3's requests to the answers, and what these give to pyfuse3's types."""

from __future__ import annotations

import errno
import logging
import os
import stat
from typing import TYPE_CHECKING

import pyfuse3

from kheadersfs.archive.names.page import NAME_LIMIT, ROOT
from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.answers import Answers
from kheadersfs.fuse.boundary import bounded
from kheadersfs.fuse.entries import Entries
from kheadersfs.fuse.listings import Listings
from kheadersfs.fuse.usage import Usage
from kheadersfs.mount.asking import HOT_ATTRIBUTE
from kheadersfs.tree import BLOCK_SIZE, Attributes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from kheadersfs.fuse.advance import Advance
    from kheadersfs.fuse.answers import Served
    from kheadersfs.fuse.relay import Relay

log = logging.getLogger("kheadersfs")

_HOT = HOT_ATTRIBUTE.encode()

UNREADABLE_ROOT = Attributes(ROOT, stat.S_IFDIR | 0o755, 2, 0, 0, 0)
"""The root of an archive that could not be read."""


class Operations(pyfuse3.Operations):
    """Answers requests for one archive. What its handlers can rely on:

    - They all run in one thread, that of the loop.
    - A handler runs without interruption until it awaits a job; then others run.
    - What they share is changed in that thread alone, never by a job.
    - None raises anything but FUSEError; see boundary.bounded().

    ``load`` is awaited at the first request that needs names; ``owner`` is the (uid, gid) that
    everything belongs to; ``attributes`` make the values of the root's extended attributes.
    """

    supports_dot_lookup = True
    enable_writeback_cache = False

    def __init__(
        self,
        load: Callable[[], Awaitable[Served]],
        owner: tuple[int, int],
        attributes: Mapping[bytes, Callable[[], bytes]],
    ) -> None:
        super().__init__()
        self._load = load
        self._answers = Answers(self._load_and_identify)
        self._advance: Advance | None = None
        self._relay: Relay | None = None
        self._entries = Entries(owner)
        self.listings = Listings(self._answers, self._entries)
        self._attributes = attributes
        self.usage = Usage()
        self._requests = self.usage.requests

    @property
    def answers(self) -> Answers:
        """The answers, for those who give some of them before they are asked for."""
        return self._answers

    def save_requests(self, relay: Relay | None, advance: Advance | None) -> None:
        """Use these, if there are any, so that the kernel need not ask so much."""
        self._relay, self._advance = relay, advance
        self.listings.advance = advance

    async def _load_and_identify(self) -> Served:
        served = await self._load()
        self._entries.identify(served.digest)
        return served

    @bounded
    async def lookup(
        self, parent_inode: int, name: bytes, _context: object
    ) -> pyfuse3.EntryAttributes:
        """Return the attributes of *name*, or the lasting news that there is none."""
        self._requests.lookup += 1
        found = await self._answers.lookup(parent_inode, name)
        return self._entries.entry(found) if found else self._entries.missing

    @bounded
    async def getattr(self, inode: int, _context: object) -> pyfuse3.EntryAttributes:
        """Return the attributes of *inode*."""
        self._requests.getattr += 1
        try:
            await self._answers.serve()
        except KheadersfsError as error:
            if inode != ROOT:
                raise
            # The mountpoint itself must stay usable, or nobody can ask for its status.
            log.error("%s", error)
            root = self._entries.entry(UNREADABLE_ROOT)
            # The kernel asks again at once: with more memory or a further thread there may be a
            # root.
            root.attr_timeout = 0.0
            return root
        return self._entries.entry(await self._answers.attributes(inode))

    @bounded
    async def access(self, inode: int, mode: int, _context: object) -> bool:
        """Tell whether a file may be executed; whoever gets as far as this may do all else.

        The kernel asks where it does not look at permissions itself; see mount.request.access().
        """
        self._requests.access += 1
        return not mode & os.X_OK or await self._answers.may_be_executed(inode)

    @bounded
    async def readlink(self, inode: int, _context: object) -> bytes:
        """Return a symlink's target."""
        self._requests.readlink += 1
        return await self._answers.target(inode)

    @bounded
    async def open(self, inode: int, flags: int, _context: object) -> pyfuse3.FileInfo:
        """Open a file for reading; its handle is its inode number."""
        self._requests.open += 1
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise pyfuse3.FUSEError(errno.EROFS)
        served = await self._answers.serve()
        if self._advance is not None:
            self._advance.note_open(served)
        if self._relay is not None and (self._relay.is_active or self._need_not_be_asked(inode)):
            self._relay.begin()
            self.usage.open_files = None
            raise pyfuse3.FUSEError(errno.ENOSYS)
        self.usage.opened[inode] = None
        await self._store_pages(inode)
        self._answers.note_opened(inode)
        self.usage.note_open()
        return pyfuse3.FileInfo(fh=inode, keep_cache=True)

    def _opens_without_asking(self) -> bool:
        return self._relay is not None and self._relay.is_active

    def _need_not_be_asked(self, inode: int) -> bool:
        """Tell whether the kernel should open this file, and from then on all, without asking.

        Of those whose pages it has not been given it then has to ask for these, which costs no
        more than the question.
        """
        is_in_advance = self._advance is not None and self._advance.has_begun
        return is_in_advance or self._answers.has_pages(inode)

    async def _store_pages(self, inode: int) -> None:
        """Give the kernel the pages of a small file before it asks for them.

        Not any more if it has been told meanwhile that it need not ask: then anybody may have
        opened the file, and wait for a page as Answers.pages_to_store() says.
        """
        try:
            pages = await self._answers.pages_to_store(inode)
            if pages is None or self._opens_without_asking():
                return
            pyfuse3.notify_store(inode, 0, pages)  # type: ignore[arg-type]  # any buffer will do
        except KheadersfsError:
            return  # the read that follows fails and says why
        except OSError as error:
            # Another thread may have made the kernel forget the inode in between.
            log.debug("the kernel did not take the pages of inode %d: %s", inode, error)
            return
        self._answers.note_stored(inode)

    @bounded
    async def read(  # type: ignore[override]  # any buffer will do, it is only copied
        self, inode: int, offset: int, size: int
    ) -> bytes | memoryview:
        """Return up to *size* bytes of the file from *offset*."""
        self._requests.read += 1
        return await self._answers.read(inode, offset, size)

    async def release(self, inode: int) -> None:
        """Take note that a file was closed."""
        self._requests.release += 1
        self.usage.note_close()
        self._answers.note_closed(inode)

    @bounded
    async def flush(self, _inode: int) -> None:
        """Tell the kernel not to ask at every close: there is nothing to flush."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @bounded
    async def opendir(self, inode: int, context: pyfuse3.RequestContext) -> int:
        """Open a directory."""
        self._requests.opendir += 1
        await self._answers.serve()
        if self._opens_without_asking():
            raise pyfuse3.FUSEError(errno.ENOSYS)
        return self.listings.handle(inode, context.pid)

    @bounded
    async def readdir(self, handle: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """List a directory from position *start* on, with full attributes."""
        self._requests.readdir += 1
        await self.listings.fill(handle, start, token)

    async def releasedir(self, _handle: int) -> None:
        """Nothing is held for an open directory."""
        self._requests.releasedir += 1

    def forget(self, _inode_list: Sequence[tuple[int, int]]) -> None:  # type: ignore[override]
        """Nothing is held for what the kernel knows."""

    @bounded
    async def statfs(self, _context: object) -> pyfuse3.StatvfsData:
        """Tell how much content and how many inodes there are; nothing is free."""
        tree = (await self._answers.serve()).tree
        figures = pyfuse3.StatvfsData()
        figures.f_bsize = figures.f_frsize = BLOCK_SIZE
        figures.f_blocks = -(-tree.content_size() // BLOCK_SIZE)
        figures.f_files = len(tree)
        figures.f_bfree = figures.f_bavail = figures.f_ffree = figures.f_favail = 0
        figures.f_namemax = NAME_LIMIT
        return figures

    @bounded
    async def getxattr(self, _inode: int, name: bytes, context: pyfuse3.RequestContext) -> bytes:
        """Return one of the root's attributes, also elsewhere: a bind mount may be all of it."""
        if name == _HOT and self._advance is not None:
            paths = await self._advance.begin_for(context.pid)
            if self._relay is not None and self._advance.has_begun:
                self._relay.begin()
            return b"\0".join(paths)
        if name in self._attributes:
            return self._attributes[name]()
        raise pyfuse3.FUSEError(pyfuse3.ENOATTR)

    @bounded
    async def listxattr(self, inode: int, _context: object) -> list[bytes]:
        """Name the root's attributes."""
        return list(self._attributes) if inode == ROOT else []


async def _refuse(*_arguments: object) -> None:
    """Answer a request to change something."""
    raise pyfuse3.FUSEError(errno.EROFS)


# Without these methods pyfuse3 would answer ENOSYS. Few such requests come, as MS_RDONLY stops
# most.
for _name in (
    *("setattr", "mknod", "mkdir", "unlink", "rmdir", "symlink", "rename", "link"),
    *("create", "write", "setxattr", "removexattr"),
):
    setattr(Operations, _name, _refuse)
