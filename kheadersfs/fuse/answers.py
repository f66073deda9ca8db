"""Answer requests, whatever protocol carries them.

All answers may raise NoAnswer, and what reading an archive raises: KheadersfsError, DamagedArchive
above all, or MemoryError.
"""

from __future__ import annotations

import errno
import stat

from kheadersfs.archive.names.page import ROOT
from kheadersfs.errors import DamagedArchive
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from kheadersfs.fuse.content import ContentServer
    from kheadersfs.fuse.generated import GeneratedFile
    from kheadersfs.tree import Attributes, Tree

STORED_AT_OPEN = 256 << 10
"""Largest size in bytes of a file whose pages are stored when it is opened, which saves READ."""


class NoAnswer(Exception):
    """The answer is the errno *number*, which is no failure and so is not logged."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Served(Record):
    """What there is to serve once the archive has been read.

    ``damage`` says why the tree may lack members, and is empty if it lacks none. ``generated`` has
    the inode number after the tree's last. ``digest`` is a SHA-256 that tells the archive from
    others. ``arch`` is the kernel's SRCARCH, empty if unknown.
    """

    tree: Tree
    content: ContentServer
    damage: str
    generated: GeneratedFile | None
    digest: bytes
    arch: str


class Answers:
    """The answers for one archive. *load* is awaited by the first answer that needs the archive.

    All methods are called in the loop's thread.
    """

    def __init__(self, load: Callable[[], Awaitable[Served]]) -> None:
        self._load = load
        self._served: Served | None = None
        # For each inode whether the kernel has been given its pages. It may have dropped them since
        # without saying so, and then sends READ.
        self._stored = bytearray()
        # How often each inode is open, by OPEN and RELEASE. Once the kernel opens files without
        # asking, this is incomplete.
        self._opened: dict[int, int] = {}

    async def serve(self) -> Served:
        """Return what there is to serve. The first call has the archive read."""
        served = self._served
        if served is None:
            served = self._served = await self._load()
            self._stored = bytearray(len(served.tree) + 2)
            self._stored[-1] = True  # the generated file's pages are not to be stored
        return served

    async def lookup(self, directory: int, name: bytes) -> Attributes | None:
        """Return the attributes of *name* in *directory*, None if it does not and will not exist.

        Raises DamagedArchive for a name that is not in the tree of a damaged archive, as it may be
        among the members that are missing.
        """
        served = self._served or await self.serve()
        tree = served.tree
        if name in (b".", b".."):
            return await self._find_again(served, directory, name)
        inode = tree.lookup(directory, name)
        if inode:
            # The kernel may look this up because it has forgotten the inode, and its pages with it.
            self._stored[inode] = False
            return tree.attributes(inode)
        _require_completeness(served)
        return await served.generated.find(directory, name) if served.generated else None

    async def _find_again(self, served: Served, inode: int, name: bytes) -> Attributes:
        """Return the attributes of *inode*, or with the *name* ``..`` those of its directory.

        The kernel asks so for the inode number in a file handle (open_by_handle_at(2)) when it has
        forgotten the inode, because it knows no name for it then.
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
        """Tell whether anybody may execute the file *inode*, or search the directory *inode*."""
        if inode == ROOT:
            return True
        served = self._served or await self.serve()
        try:
            mode = served.tree.attributes(inode).mode
        except IndexError:
            return False  # a generated file is a header
        return stat.S_ISDIR(mode) or bool(mode & 0o111)

    async def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*."""
        return (self._served or await self.serve()).tree.target(inode)

    async def pages_to_store(self, inode: int) -> bytes | memoryview | None:
        """Return the content of *inode* if its pages should be stored now, else None.

        They should if the file is small, not open and not stored yet. A process that has the file
        open may be waiting for one of its pages. The kernel locks such a page until READ for it is
        answered, so to store it in the thread that answers would wait for ever.
        """
        served = self._served or await self.serve()
        if self._stored[inode]:
            return None
        start, size = served.tree.extent(inode)
        if not 0 < size <= STORED_AT_OPEN:
            return None
        pages = await served.content.read_opened(start, size)
        return None if inode in self._opened else pages

    def has_pages(self, inode: int) -> bool:
        """Tell whether the pages of *inode* have been stored. The kernel may have dropped them."""
        return inode < len(self._stored) - 1 and bool(self._stored[inode])

    def note_stored(self, inode: int) -> None:
        """Take note that the pages of *inode* have been stored."""
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
        """Return the entries of the directory *inode* that come behind position *after*.

        Each is a position, a name and the attributes. The generated file is not among them.
        """
        tree = (self._served or await self.serve()).tree
        return (
            (position, name, tree.attributes(child))
            for position, name, child in tree.entries(inode, after)
        )

    async def listed_last(self, inode: int, after: int) -> GeneratedFile | None:
        """Return the generated file if the directory *inode* has it, behind position *after*.

        Its position is behind all entries from the archive.
        """
        generated = (self._served or await self.serve()).generated
        return generated if generated and generated.is_listed(inode, after) else None

    async def require_completeness(self) -> None:
        """Raise DamagedArchive if the archive may have had members that the tree lacks."""
        _require_completeness(await self.serve())


def _require_completeness(served: Served) -> None:
    if served.damage:
        raise DamagedArchive(served.damage)


def _behind_tree(served: Served, inode: int) -> GeneratedFile:
    """Return the generated file if *inode* is its number. Raises NoAnswer for any other."""
    if served.generated is None or served.generated.place.inode != inode:
        raise NoAnswer(errno.ESTALE)
    return served.generated


async def _attributes_of(generated: GeneratedFile) -> Attributes:
    """Return the attributes of *generated*. Raises NoAnswer if it cannot be made."""
    attributes = await generated.attributes()
    if attributes is None:
        raise NoAnswer(errno.ENOENT)
    return attributes
