"""Answer requests, whatever protocol carries them.

All answers may raise NoAnswer, and what reading an archive raises, DamagedArchive above all.
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.page import ROOT
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kheadersfs.fuse.content import ContentServer
    from kheadersfs.fuse.generated import GeneratedFile
    from kheadersfs.tree import Attributes, Tree

STORED_AT_OPEN = 256 << 10
"""Bytes up to which a file goes into the page cache when it is opened, to save the read request."""


class NoAnswer(Exception):
    """There is no other answer than *number*, an errno, and nothing is wrong."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


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


class Answers:
    """The answers for one archive; *load* is awaited when the first of them needs it."""

    def __init__(self, load: Callable[[], Awaitable[Served]]) -> None:
        self._load = load
        self._served: Served | None = None
        # Whether the kernel has been given the pages of an inode. It asks with read if it drops
        # them.
        self._stored = bytearray()
        # How often each inode is open, as far as the kernel says when it opens and releases files.
        self._opened: dict[int, int] = {}

    async def serve(self) -> Served:
        """Return what there is to serve, read by now."""
        served = self._served
        if served is None:
            served = self._served = await self._load()
            self._stored = bytearray(len(served.tree) + 2)
            self._stored[-1] = True  # the generated file's pages are not to be stored
        return served

    async def lookup(self, directory: int, name: bytes) -> Attributes | None:
        """Return the attributes of *name* in *directory*, None for good if there is none."""
        served = self._served or await self.serve()
        tree = served.tree
        if name in (b".", b".."):
            return await self._find_again(served, directory, name)
        inode = tree.lookup(directory, name)
        if inode:
            # The kernel looks up what it has forgotten. It has forgotten the inode's pages with it.
            self._stored[inode] = False
            return tree.attributes(inode)
        _require_completeness(served)
        return await served.generated.find(directory, name) if served.generated else None

    async def _find_again(self, served: Served, inode: int, name: bytes) -> Attributes:
        """Return what a file handle leads to: *inode*, or with the *name* ``..`` what it is in.

        The kernel keeps no name for it, and asks in this way when it has forgotten the inode.
        """
        tree = served.tree
        try:
            if name == b"..":
                return tree.attributes(tree.parent(inode))
            attributes = tree.attributes(inode)
        except IndexError:
            generated = _behind_tree(served, inode)
            if name == b"..":
                return tree.attributes(generated.place.directory)
            return await _attributes_of(generated)
        self._stored[inode] = False
        return attributes

    async def attributes(self, inode: int) -> Attributes:
        """Return the attributes of *inode*."""
        served = self._served or await self.serve()
        try:
            return served.tree.attributes(inode)
        except IndexError:
            return await _attributes_of(_behind_tree(served, inode))

    async def may_be_executed(self, inode: int) -> bool:
        """Tell whether somebody may execute *inode*, or search it if it is a directory."""
        if inode == ROOT:
            return True
        served = self._served or await self.serve()
        try:
            mode = served.tree.attributes(inode).mode
        except IndexError:
            return False  # what is made here is a header
        return stat.S_ISDIR(mode) or bool(mode & 0o111)

    async def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*."""
        return (self._served or await self.serve()).tree.target(inode)

    async def pages_to_store(self, inode: int) -> bytes | memoryview | None:
        """Return all of the small file *inode* if the kernel should have its pages now, else None.

        Whoever has the file open already may be waiting for a page that only this process can
        bring, and that the kernel keeps locked until then: to store it would wait for ever.
        """
        served = self._served or await self.serve()
        if self._stored[inode]:
            return None
        start, size = served.tree.extent(inode)
        if not 0 < size <= STORED_AT_OPEN:
            return None
        pages = await served.content.opened(start, size)
        return None if inode in self._opened else pages

    def has_pages(self, inode: int) -> bool:
        """Tell whether the kernel was given the pages of the file *inode* and may have them."""
        return inode < len(self._stored) - 1 and bool(self._stored[inode])

    def note_stored(self, inode: int) -> None:
        """Take note that the kernel has taken the pages of *inode*."""
        self._stored[inode] = True

    def note_opened(self, inode: int) -> None:
        """Take note that *inode* was opened."""
        self._opened[inode] = self._opened.get(inode, 0) + 1

    def note_closed(self, inode: int) -> None:
        """Take note that *inode* was closed."""
        self._opened[inode] -= 1
        if not self._opened[inode]:
            del self._opened[inode]

    async def read(self, inode: int, offset: int, size: int) -> bytes | memoryview:
        """Return up to *size* bytes of the file *inode* from *offset*."""
        served = self._served or await self.serve()
        try:
            start, length = served.tree.extent(inode)
        except IndexError:
            return await _behind_tree(served, inode).read(offset, size)
        size = min(size, length - offset)
        return await served.content.read(start + offset, size) if size > 0 else b""

    async def listing(self, inode: int, after: int) -> Iterator[tuple[int, bytes, Attributes]]:
        """Return (position, name, attributes) of what *inode* has behind position *after*."""
        tree = (self._served or await self.serve()).tree
        return (
            (position, name, tree.attributes(child))
            for position, name, child in tree.entries(inode, after)
        )

    async def listed_last(self, inode: int, after: int) -> GeneratedFile | None:
        """Return the generated file if it comes behind all that *inode* has in the archive."""
        generated = (self._served or await self.serve()).generated
        return generated if generated and generated.is_listed(inode, after) else None

    async def require_completeness(self) -> None:
        """Raise DamagedArchive if a name that is not there may have been in the archive."""
        _require_completeness(await self.serve())


def _require_completeness(served: Served) -> None:
    if served.damage:
        raise DamagedArchive(served.damage)


def _behind_tree(served: Served, inode: int) -> GeneratedFile:
    """Return the file with the number *inode*, which is not in the tree."""
    if served.generated is None or served.generated.place.inode != inode:
        raise NoAnswer(errno.ESTALE)
    return served.generated


async def _attributes_of(generated: GeneratedFile) -> Attributes:
    attributes = await generated.attributes()
    if attributes is None:
        raise NoAnswer(errno.ENOENT)
    return attributes
