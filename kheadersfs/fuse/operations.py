"""The protocol adapter: pyfuse3's requests, answered from tree and content. Nothing else."""

from __future__ import annotations

import errno
import logging
import os
import stat
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import pyfuse3

from kheadersfs.archive.names.page import NAME_LIMIT, ROOT
from kheadersfs.errors import DamagedArchive, KheadersfsError
from kheadersfs.fuse.boundary import bounded
from kheadersfs.fuse.entries import Entries
from kheadersfs.fuse.generated import POSITION
from kheadersfs.tree import Attributes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from kheadersfs.fuse.content import ContentServer
    from kheadersfs.fuse.generated import GeneratedFile
    from kheadersfs.tree import Tree

log = logging.getLogger("kheadersfs")

STORED_AT_OPEN = 256 << 10
"""Bytes up to which a file goes into the page cache when it is opened, to save the read request."""

UNREADABLE_ROOT = Attributes(ROOT, stat.S_IFDIR | 0o755, 2, 0, 0, 0)
"""The root of an archive that could not be read."""


class Served(NamedTuple):
    """What there is to serve once the archive has been read.

    ``damage`` is why the tree may lack members, empty when it does not. ``generated`` is a file
    with the inode number behind the tree's last. ``digest`` is the archive's.
    """

    tree: Tree
    content: ContentServer
    damage: str
    generated: GeneratedFile | None
    digest: bytes


class Requests:
    """How many requests came, by kind."""

    __slots__ = ("access", "getattr", "lookup", "open", "read", "readdir", "readlink")

    def __init__(self) -> None:
        self.access = self.lookup = self.getattr = self.readlink = 0
        self.open = self.read = self.readdir = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Operations(pyfuse3.Operations):
    """Answers requests for one archive.

    ``load`` is awaited at the first request that needs names; ``owner`` is the (uid, gid)
    that everything belongs to; ``attributes`` make the values of the root's extended attributes.
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
        self._entries = Entries(owner)
        self._attributes = attributes
        self._tree: Tree | None = None
        self._content: ContentServer | None = None
        self._damage = ""
        self._generated: GeneratedFile | None = None
        # Inodes whose pages the kernel has been given; if it drops them, it asks with read.
        self._stored = bytearray()
        # How often each inode is open, by what the kernel has been told and has told.
        self._opened: dict[int, int] = {}
        self.requests = Requests()
        self.open_files = 0
        self.last_close = monotonic()
        """When a file was closed for the last time, or else when this was made."""
        self.opened_inodes: dict[int, None] = {}

    async def _serve(self) -> tuple[Tree, ContentServer]:
        if self._tree is None or self._content is None:
            served = await self._load()
            self._tree, self._content, self._damage, self._generated, digest = served
            self._entries.identify(digest)
            self._stored = bytearray(len(served.tree) + 2)
            self._stored[-1] = True  # the generated file's pages are not for _store_pages
        return self._tree, self._content

    @bounded
    async def lookup(
        self, parent_inode: int, name: bytes, _context: object
    ) -> pyfuse3.EntryAttributes:
        """Return the attributes of *name*, or the lasting news that there is none."""
        self.requests.lookup += 1
        tree = self._tree
        if tree is None:
            tree, _ = await self._serve()
        if name in (b".", b".."):
            return self._entries.entry(await self._find_again(tree, parent_inode, name))
        inode = tree.lookup(parent_inode, name)
        if inode:
            # The kernel asks for what it has forgotten, and its pages went the same way.
            self._stored[inode] = False
            return self._entries.entry(tree.attributes(inode))
        self._require_completeness()
        generated = self._generated and await self._generated.find(parent_inode, name)
        return self._entries.entry(generated) if generated else self._entries.missing

    async def _find_again(self, tree: Tree, inode: int, name: bytes) -> Attributes:
        """Return what a file handle leads to: *inode*, or with the *name* ``..`` what it is in.

        The kernel keeps no name for it, and asks in this way when it has forgotten the inode.
        """
        try:
            if name == b"..":
                return tree.attributes(tree.parent(inode))
            attributes = tree.attributes(inode)
        except IndexError:
            generated = self._behind_tree(inode)
            if name == b"..":
                return tree.attributes(generated.place.directory)
            return await self._attributes_of(generated)
        self._stored[inode] = False
        return attributes

    def _require_completeness(self) -> None:
        """Raise DamagedArchive if a name that is not there may have been in the archive."""
        if self._damage:
            raise DamagedArchive(self._damage)

    @bounded
    async def getattr(self, inode: int, _context: object) -> pyfuse3.EntryAttributes:
        """Return the attributes of *inode*."""
        self.requests.getattr += 1
        try:
            tree, _ = await self._serve()
        except KheadersfsError as error:
            if inode != ROOT:
                raise
            # The mountpoint itself must stay usable, or nobody can ask for its status.
            log.error("%s", error)
            root = self._entries.entry(UNREADABLE_ROOT)
            # The true ones may come yet, if it was memory or a thread that was lacking.
            root.attr_timeout = 0.0
            return root
        try:
            return self._entries.entry(tree.attributes(inode))
        except IndexError:
            return self._entries.entry(await self._attributes_of(self._behind_tree(inode)))

    async def _attributes_of(self, generated: GeneratedFile) -> Attributes:
        attributes = await generated.attributes()
        if attributes is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return attributes

    def _behind_tree(self, inode: int) -> GeneratedFile:
        """Return the file with the number *inode*, which is not in the tree."""
        if self._generated is None or self._generated.place.inode != inode:
            raise pyfuse3.FUSEError(errno.ESTALE)
        return self._generated

    @bounded
    async def access(self, inode: int, mode: int, _context: object) -> bool:
        """Tell whether a file may be executed; whoever gets as far as this may do all else.

        The kernel asks where it does not look at permissions itself; see mount.request.access().
        """
        self.requests.access += 1
        if not mode & os.X_OK or inode == ROOT:
            return True
        tree, _ = await self._serve()
        try:
            permissions = tree.attributes(inode).mode
        except IndexError:
            return False  # what is made here is a header
        return stat.S_ISDIR(permissions) or bool(permissions & 0o111)

    @bounded
    async def readlink(self, inode: int, _context: object) -> bytes:
        """Return a symlink's target."""
        self.requests.readlink += 1
        tree, _ = await self._serve()
        return tree.target(inode)

    @bounded
    async def open(self, inode: int, flags: int, _context: object) -> pyfuse3.FileInfo:
        """Open a file for reading; its handle is its inode number."""
        self.requests.open += 1
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise pyfuse3.FUSEError(errno.EROFS)
        tree, content = await self._serve()
        self.opened_inodes[inode] = None
        if not self._stored[inode]:
            await self._store_pages(tree, content, inode)
        self._opened[inode] = self._opened.get(inode, 0) + 1
        self.open_files += 1
        return pyfuse3.FileInfo(fh=inode, keep_cache=True)

    async def _store_pages(self, tree: Tree, content: ContentServer, inode: int) -> None:
        """Give the kernel the pages of a small file before it asks for them.

        Whoever has the file open already may be waiting for a page that only this process can
        bring, and that the kernel keeps locked until then: to store it would wait for ever.
        """
        start, size = tree.extent(inode)
        if not 0 < size <= STORED_AT_OPEN:
            return
        try:
            pages = await content.opened(start, size)
            if inode in self._opened:
                return
            pyfuse3.notify_store(inode, 0, pages)  # type: ignore[arg-type]  # any buffer will do
        except KheadersfsError:
            return  # the read that follows fails and says why
        except OSError as error:
            # Another thread may have made the kernel forget the inode in between.
            log.debug("the kernel did not take the pages of inode %d: %s", inode, error)
            return
        self._stored[inode] = 1

    @bounded
    async def read(  # type: ignore[override]  # any buffer will do, it is only copied
        self, inode: int, offset: int, size: int
    ) -> bytes | memoryview:
        """Return up to *size* bytes of the file from *offset*."""
        self.requests.read += 1
        tree, content = await self._serve()
        try:
            start, length = tree.extent(inode)
        except IndexError:
            return await self._behind_tree(inode).read(offset, size)
        size = min(size, length - offset)
        return await content.read(start + offset, size) if size > 0 else b""

    async def release(self, inode: int) -> None:
        """Take note that a file was closed."""
        self.open_files -= 1
        self.last_close = monotonic()
        self._opened[inode] -= 1
        if not self._opened[inode]:
            del self._opened[inode]

    @bounded
    async def flush(self, _inode: int) -> None:
        """Tell the kernel not to ask at every close: there is nothing to flush."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @bounded
    async def opendir(self, inode: int, _context: object) -> int:
        """Open a directory; its handle is its inode number."""
        await self._serve()
        return inode

    @bounded
    async def readdir(self, inode: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """List a directory from position *start* on, with full attributes."""
        self.requests.readdir += 1
        tree, _ = await self._serve()
        listed = False
        for position, name, child in tree.entries(inode, start):
            entry = self._entries.entry(tree.attributes(child))
            if not pyfuse3.readdir_reply(token, name, entry, position):
                return
            listed = True
        if self._generated is not None and self._generated.is_listed(inode, start):
            self._list_generated(token, self._generated)
        elif not listed:
            # The end: an error beside entries would take these away from the reader.
            self._require_completeness()

    def _list_generated(self, token: pyfuse3.ReaddirToken, generated: GeneratedFile) -> None:
        entry = self._entries.entry(generated.known_attributes())
        if not generated.has_known_size:
            # Whoever wants to know the size has to ask, and that is when the file is made.
            entry.entry_timeout = entry.attr_timeout = 0.0
        pyfuse3.readdir_reply(token, generated.place.name, entry, POSITION)

    async def releasedir(self, _inode: int) -> None:
        """Nothing is held for an open directory."""

    def forget(self, _inode_list: Sequence[tuple[int, int]]) -> None:  # type: ignore[override]
        """Nothing is held for what the kernel knows."""

    @bounded
    async def statfs(self, _context: object) -> pyfuse3.StatvfsData:
        """Tell how much content and how many inodes there are; nothing is free."""
        tree, _ = await self._serve()
        figures = pyfuse3.StatvfsData()
        figures.f_bsize = figures.f_frsize = 512
        figures.f_blocks = -(-tree.content_size() // 512)
        figures.f_files = len(tree)
        figures.f_bfree = figures.f_bavail = figures.f_ffree = figures.f_favail = 0
        figures.f_namemax = NAME_LIMIT
        return figures

    @bounded
    async def getxattr(self, _inode: int, name: bytes, _context: object) -> bytes:
        """Return one of the root's attributes, also elsewhere: a bind mount may be all of it."""
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


# pyfuse3 answers ENOSYS for what it does not find, and mount(2) with MS_RDONLY lets little through.
for _name in (
    *("setattr", "mknod", "mkdir", "unlink", "rmdir", "symlink", "rename", "link"),
    *("create", "write", "setxattr", "removexattr"),
):
    setattr(Operations, _name, _refuse)
