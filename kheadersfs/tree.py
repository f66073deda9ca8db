"""The immutable tree: lookup, listing, attributes and paths, over the columns of a table."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.paths import Paths
from kheadersfs.archive.table import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.table import Table

BLOCK_SIZE = 512
"""The unit of st_blocks."""


class Attributes(NamedTuple):
    """What stat(2) tells of an inode. ``mtime`` is in nanoseconds, ``blocks`` in 512 bytes."""

    inode: int
    mode: int
    links: int
    size: int
    blocks: int
    mtime: int


class Tree:
    """Answers questions about a table, which never changes. May be used from any thread."""

    __slots__ = ("_listed", "_paths", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        # Directories that were looked into, as dictionaries: a build asks the same few again
        # and again, and mostly for names that are elsewhere.
        self._listed: dict[int, dict[bytes, int]] = {}
        self._paths: Paths | None = None

    def __len__(self) -> int:
        """Count the inodes."""
        return len(self.table.inode_mode)

    def lookup(self, directory: int, name: bytes) -> int:
        """Return the inode of *name* in *directory*, 0 when there is none."""
        listed = self._listed.get(directory)
        if listed is None:
            listed = self._listed[directory] = {
                child: inode for _, child, inode in self.entries(directory)
            }
        return listed.get(name, 0)

    def entries(self, directory: int, after: int = 0) -> Iterator[tuple[int, bytes, int]]:
        """Yield (position, name, inode) of each entry of *directory* from position *after* on.

        Positions count from 1, so that *after* is the last one seen.
        """
        table = self.table
        if not self.is_directory(directory):
            return
        first = table.inode_start[directory - 1]
        for position in range(after, table.inode_size[directory - 1]):
            entry = first + position
            yield position + 1, table.name(entry), table.entry_inode[entry]

    def is_directory(self, inode: int) -> bool:
        """Tell whether *inode* is a directory."""
        return stat.S_ISDIR(self.table.inode_mode[inode - 1])

    def attributes(self, inode: int) -> Attributes:
        """Return the attributes of *inode*. Directories have size 0, as they take no content."""
        table, row = self.table, inode - 1
        mode = table.inode_mode[row]
        size = 0 if stat.S_ISDIR(mode) else table.inode_size[row]
        blocks = -(-size // BLOCK_SIZE) if stat.S_ISREG(mode) else 0
        return Attributes(inode, mode, table.inode_links[row], size, blocks, table.inode_mtime[row])

    def extent(self, inode: int) -> tuple[int, int]:
        """Return start and size in bytes of the content of the file *inode*."""
        return self.table.inode_start[inode - 1], self.table.inode_size[inode - 1]

    def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*."""
        start, size = self.extent(inode)
        return self.table.targets[start : start + size]

    def resolve(self, path: bytes) -> int:
        """Return the inode at *path*, relative to the root; 0 when there is none.

        Symlinks are not followed.
        """
        inode = ROOT
        for component in path.split(b"/"):
            if component not in (b"", b".") and inode:
                inode = self.lookup(inode, component)
        return inode

    def path(self, inode: int) -> bytes:
        """Return the path of *inode*, relative to the root; of a hard-linked file the first."""
        if self._paths is None:
            self._paths = Paths(self.table)
        return self._paths.path(inode)

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
        table = self.table
        return sum(
            size
            for mode, size in zip(table.inode_mode, table.inode_size, strict=True)
            if stat.S_ISREG(mode)
        )
