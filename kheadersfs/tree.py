"""The immutable tree: lookup, listing, attributes and paths, over the pages of a table."""

from __future__ import annotations

import stat
from itertools import count

from kheadersfs.archive.names.page import ROOT, Place
from kheadersfs.archive.names.paths import path_of
from kheadersfs.archive.names.table import Table
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kheadersfs.archive.fleet.table import FleetTable

BLOCK_SIZE = 512
"""The unit of st_blocks."""


class Attributes(Record):
    """What stat(2) tells of an inode. ``mtime`` is in nanoseconds, ``blocks`` in 512 bytes."""

    inode: int
    mode: int
    links: int
    size: int
    blocks: int
    mtime: int


class Tree:
    """Answers questions about a table, which never changes. May be used from any thread.

    What needs a part of an index that lies raises DamagedArchive.
    """

    __slots__ = ("_inodes", "_listed", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        self._inodes = table.inodes
        # Directories that were looked into, as dictionaries: a build asks the same few again
        # and again, and mostly for names that are elsewhere.
        self._listed: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        """Count the inodes: all numbers from ROOT on."""
        return self._inodes

    def lookup(self, directory: int, name: bytes) -> int:
        """Return the inode of *name* in *directory*, 0 when there is none."""
        return self.names(directory).get(name, 0)

    def names(self, directory: int) -> dict[bytes, int]:
        """Return the inode of each name in *directory*, in the order of entries(). It is kept."""
        listed = self._listed.get(directory)
        if listed is None:
            listed = self._listed[directory] = {
                child: inode for _, child, inode in self.entries(directory)
            }
        return listed

    def entries(self, directory: int, after: int = 0) -> Iterator[tuple[int, bytes, int]]:
        """Yield (position, name, inode) of each entry of *directory* from position *after* on.

        Positions count from 1, so that *after* is the last one seen.
        """
        page, entries = self.table.directory(directory)
        return zip(count(after + 1), *page.listing(entries[after:]), strict=False)

    def is_directory(self, inode: int) -> bool:
        """Tell whether *inode* is a directory."""
        page = self.table.page_of(inode)
        return stat.S_ISDIR(page.inode_mode[inode - page.first_inode])

    def attributes(self, inode: int) -> Attributes:
        """Return the attributes of *inode*. Directories have size 0, as they take no content."""
        page = self.table.page_of(inode)
        row = inode - page.first_inode
        mode = page.inode_mode[row]
        size = 0 if stat.S_ISDIR(mode) else page.inode_size[row]
        blocks = -(-size // BLOCK_SIZE) if stat.S_ISREG(mode) else 0
        return Attributes(inode, mode, page.inode_links[row], size, blocks, page.inode_mtime[row])

    def extent(self, inode: int) -> tuple[int, int]:
        """Return start and size in bytes of the content of the file *inode*."""
        page = self.table.page_of(inode)
        row = inode - page.first_inode
        return page.inode_start[row], page.inode_size[row]

    def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*."""
        return self.table.page_of(inode).target(inode)

    def resolve(self, path: bytes) -> int:
        """Return the inode at *path*, relative to the root; 0 when there is none.

        Symlinks are not followed.
        """
        inode = ROOT
        for component in path.split(b"/"):
            if component not in (b"", b".") and inode:
                inode = self.lookup(inode, component)
        return inode

    def parent(self, inode: int) -> int:
        """Return the directory that *inode* is in; the root is in itself.

        Of a hard-linked file it is that of the first name.
        """
        if inode == ROOT:
            return ROOT
        return self.table.parent(self.table.page_of(inode).naming_entry(inode))

    def path(self, inode: int) -> bytes:
        """Return the path of *inode*, relative to the root; of a hard-linked file the first."""
        return path_of(self.table, inode)

    def walk(self, directory: int = ROOT, prefix: bytes = b"") -> Iterator[tuple[bytes, int]]:
        """Yield (path, inode) of all below *directory*, each directory before its content."""
        pending = [(prefix, directory)]
        while pending:
            path, inode = pending.pop()
            if path != prefix:
                yield path, inode
            children = [
                (path + b"/" + name if path else name, child)
                for _, name, child in self.entries(inode)
            ]
            pending.extend(reversed(children))

    def content_size(self) -> int:
        """Return the bytes of content of all files, each inode counted once."""
        return self.table.content_size


def tree_of(table: Table | FleetTable, kernel: int | None = None) -> Tree:
    """Return the tree of *table*; with a *kernel*, the number of one of several, of that alone."""
    return Tree(table) if isinstance(table, Table) else FleetTree(table, kernel)


class FleetTree(Tree):
    """The tree of several kernels, each in a directory of its name, or of *kernel* alone.

    With a *kernel*, the number of one, its directory is the root.
    """

    __slots__ = ("fleet", "kernel")

    def __init__(self, table: FleetTable, kernel: int | None = None) -> None:
        self.fleet = table
        self.kernel = kernel
        self._inodes = table.inodes
        self._listed = {}

    def _place(self, inode: int) -> Place | None:
        """Return the directory of a kernel that *inode* is; None for what is none."""
        if inode == ROOT and self.kernel is not None:
            return Place(self.kernel, 0)
        return self.fleet.place(inode) if inode >= self.fleet.versions_end else None

    def entries(self, directory: int, after: int = 0) -> Iterator[tuple[int, bytes, int]]:
        """See Tree.entries."""
        place = self._place(directory)
        listed: Iterable[tuple[bytes, int]] = ()
        if place is not None:
            listed = self.fleet.listing(place)
        elif directory == ROOT:
            listed = self.fleet.roots()
        for position, (name, inode) in enumerate(listed, 1):
            if position > after:
                yield position, name, inode

    def is_directory(self, inode: int) -> bool:
        """See Tree.is_directory."""
        return stat.S_ISDIR(self.fleet.described(inode).mode)

    def attributes(self, inode: int) -> Attributes:
        """See Tree.attributes."""
        place = self._place(inode)
        known = inode if place is None else self.fleet.inode_of(place)
        mode, mtime, size, links = self.fleet.described(known)
        blocks = -(-size // BLOCK_SIZE) if stat.S_ISREG(mode) else 0
        return Attributes(inode, mode, links, size, blocks, mtime)

    def extent(self, inode: int) -> tuple[int, int]:
        """See Tree.extent."""
        return self.fleet.extent(inode)

    def target(self, inode: int) -> bytes:
        """See Tree.target."""
        return self.fleet.target(inode)

    def parent(self, inode: int) -> int:
        """See Tree.parent; a file that other kernels have too is in this one, or the first."""
        place = self._place(inode)
        if inode == ROOT or (place is not None and not place.directory):
            return ROOT
        parent = self.fleet.naming(inode, self.kernel)[0]
        if parent == self._place(ROOT):
            return ROOT
        return self.fleet.inode_of(parent)

    def path(self, inode: int) -> bytes:
        """See Tree.path."""
        names: list[bytes] = []
        while inode != ROOT:
            place = self._place(inode)
            if place is not None and not place.directory:
                names.append(self.fleet.kernels[place.kernel].name)
            else:
                names.append(self.fleet.naming(inode, self.kernel)[1])
            inode = self.parent(inode)
        return b"/".join(reversed(names))

    def content_size(self) -> int:
        """See Tree.content_size; with one kernel alone it is of all all the same."""
        return self.fleet.content_size
