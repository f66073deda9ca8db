"""Handle pyfuse3's requests: ask Answers, and return what it says in pyfuse3's types."""

from __future__ import annotations

import errno
import os
import stat

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from kheadersfs.fuse.advance import Advance
    from kheadersfs.fuse.answers import Served
    from kheadersfs.fuse.log import Log
    from kheadersfs.fuse.relay import Relay

_HOT = HOT_ATTRIBUTE.encode()

UNREADABLE_ROOT = Attributes(ROOT, stat.S_IFDIR | 0o755, 2, 0, 0, 0)
"""The root of an archive that could not be read."""


class Operations(pyfuse3.Operations):
    """The handlers of all requests for one archive.

    - All handlers run in the loop's thread.
    - A handler runs without interruption until it awaits a job. Then others run.
    - What handlers share is changed in that thread alone, never by a job.
    - A handler raises nothing but FUSEError; see boundary.bounded().

    *load* is awaited at the first request that needs names. *owner* is the (uid, gid) of every
    inode. *attributes* maps the names of the root's extended attributes to functions that return
    their values.
    """

    supports_dot_lookup = True
    enable_writeback_cache = False

    def __init__(
        self,
        load: Callable[[], Awaitable[Served]],
        owner: tuple[int, int],
        attributes: Mapping[bytes, Callable[[], bytes]],
        log: Log,
    ) -> None:
        super().__init__()
        self.log = log
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
        """The answers, for Advance, which gives the kernel some of them before it asks."""
        return self._answers

    def save_requests(self, relay: Relay | None, advance: Advance | None) -> None:
        """Use *relay* and *advance*, which save requests. None is for one that is not used."""
        self._relay, self._advance = relay, advance
        self.listings.advance = advance

    async def _load_and_identify(self) -> Served:
        """Load the archive, and put its digest into the attributes of all inodes."""
        served = await self._load()
        self._entries.identify(served.digest)
        return served

    @bounded
    async def lookup(
        self, parent_inode: int, name: bytes, _context: object
    ) -> pyfuse3.EntryAttributes:
        """Return the attributes of *name*, or an entry with which the kernel caches its absence."""
        self._requests.lookup += 1
        found = await self._answers.lookup(parent_inode, name)
        if found:
            return self._entries.entry(found)
        if self._advance is not None:
            self._advance.note_missing()
        return self._entries.missing

    @bounded
    async def getattr(self, inode: int, _context: object) -> pyfuse3.EntryAttributes:
        """Return the attributes of *inode*."""
        self._requests.getattr += 1
        try:
            await self._answers.serve()
        except KheadersfsError as error:
            if inode != ROOT:
                raise
            # Without attributes of the root nobody could ask for the status of the mount.
            self.log.error("%s", error)
            root = self._entries.entry(UNREADABLE_ROOT)
            # The archive may be readable later, when there is more memory. So the kernel must ask
            # again each time.
            root.attr_timeout = 0.0
            return root
        return self._entries.entry(await self._answers.attributes(inode))

    @bounded
    async def access(self, inode: int, mode: int, _context: object) -> bool:
        """Tell whether *inode* may be used as *mode*, bits of access(2), says.

        Only execution may be denied. The kernel asks only where it does not check permissions
        itself, and there it admits nobody but the user who has mounted; see mount.request.access().
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
        """Open a file for reading. Its handle is its inode number.

        ENOSYS tells the kernel to open all files without asking from now on; see relay.
        """
        self._requests.open += 1
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise pyfuse3.FUSEError(errno.EROFS)
        served = await self._answers.serve()
        if self._advance is not None:
            self._advance.note_open(served)
        if self._relay is not None and (
            self._relay.is_active or self._may_open_without_asking(inode)
        ):
            self._relay.begin()
            self.usage.open_files = None
            raise pyfuse3.FUSEError(errno.ENOSYS)
        self.usage.opened[inode] = None
        await self._store_pages(inode)
        self._answers.note_opened(inode)
        self.usage.note_open()
        return pyfuse3.FileInfo(fh=inode, keep_cache=True)

    def _opens_without_asking(self) -> bool:
        """Tell whether the kernel has been told to open files without asking."""
        return self._relay is not None and self._relay.is_active

    def _may_open_without_asking(self, inode: int) -> bool:
        """Tell whether the kernel should open *inode*, and all files after it, without asking.

        It then sends READ for a file whose pages it has not been given. That costs no more than the
        OPEN that it does not send.
        """
        is_in_advance = self._advance is not None and self._advance.has_begun
        return is_in_advance or self._answers.has_pages(inode)

    async def _store_pages(self, inode: int) -> None:
        """Store the pages of a small file, which saves READ.

        Stores none if the kernel has been told meanwhile to open files without asking. Then a
        process may have the file open and wait for a page, as Answers.pages_to_store() explains.
        """
        try:
            pages = await self._answers.pages_to_store(inode)
            if pages is None or self._opens_without_asking():
                return
            pyfuse3.notify_store(inode, 0, pages)  # type: ignore[arg-type]  # any buffer will do
        except (KheadersfsError, OSError):
            # The read that follows fails and says why, or the kernel has forgotten the inode.
            return
        self._answers.note_stored(inode)

    @bounded
    async def read(  # type: ignore[override]  # any buffer will do, it is only copied
        self, inode: int, offset: int, size: int
    ) -> bytes | memoryview:
        """Return up to *size* bytes of the file from *offset*, fewer at its end."""
        self._requests.read += 1
        return await self._answers.read(inode, offset, size)

    async def release(self, inode: int) -> None:
        """Take note that a file was closed."""
        self._requests.release += 1
        self.usage.note_close()
        self._answers.note_closed(inode)

    @bounded
    async def flush(self, _inode: int) -> None:
        """Answer ENOSYS, so that the kernel does not ask again: there is nothing to flush."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @bounded
    async def opendir(self, inode: int, context: pyfuse3.RequestContext) -> int:
        """Open a directory. ENOSYS means the same as in open()."""
        self._requests.opendir += 1
        await self._answers.serve()
        if self._opens_without_asking():
            raise pyfuse3.FUSEError(errno.ENOSYS)
        return self.listings.handle(inode, context.pid)

    @bounded
    async def readdir(self, handle: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """Put the entries behind position *start* into the reply, with their attributes."""
        self._requests.readdir += 1
        await self.listings.fill(handle, start, token)

    async def releasedir(self, _handle: int) -> None:
        """Count the request. Nothing is kept for an open directory."""
        self._requests.releasedir += 1

    def forget(self, _inode_list: Sequence[tuple[int, int]]) -> None:  # type: ignore[override]
        """Do nothing: nothing is kept for the inodes that the kernel knows."""

    @bounded
    async def statfs(self, _context: object) -> pyfuse3.StatvfsData:
        """Return how much content and how many inodes there are. Nothing is free."""
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
        """Return an extended attribute, and with HOT_ATTRIBUTE make the asking process the lister.

        Any inode has the root's attributes, because any may be the root of a bind mount.
        """
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
        """Return the names of the extended attributes. Only the root lists them."""
        return list(self._attributes) if inode == ROOT else []


async def _refuse(*_arguments: object) -> None:
    """Refuse a request that would change something, with EROFS."""
    raise pyfuse3.FUSEError(errno.EROFS)


# Without these methods pyfuse3 would answer ENOSYS. The kernel itself refuses most of these
# requests, because the mount is read-only.
for _name in (
    *("setattr", "mknod", "mkdir", "unlink", "rmdir", "symlink", "rename", "link"),
    *("create", "write", "setxattr", "removexattr"),
):
    setattr(Operations, _name, _refuse)
