"""Find the path of an inode, and the inode at a path: for messages, records and checks.

To serve requests, which name a directory and a name in it, tree.py is faster.
"""

from __future__ import annotations

from bisect import bisect_left

from kheadersfs.archive.names.page import ROOT, first_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.names.table import Table


def path_of(table: Table, inode: int) -> bytes:
    """Return the path of *inode*, relative to the root; of a hard-linked file the first."""
    components: list[bytes] = []
    while inode != ROOT:
        own = table.page_of(inode)
        entry = own.naming_entry(inode)
        components.append(own.name(entry))
        inode = table.parent(entry)
    return b"/".join(reversed(components))


class WayDown:
    """From paths to inodes, for paths many of which lie in the same directories.

    It remembers these, and is meant to be thrown away after a block.
    """

    __slots__ = ("_directories",)

    def __init__(self) -> None:
        self._directories = {b"": ROOT}

    def inode_at(self, path: bytes, guess: int = 0) -> int:
        """Return the inode at *path*, 0 when there is none. The root's path is empty.

        It may be found sooner when the *guess* is right.
        """
        if not path:
            return ROOT
        head, _, name = path.rpartition(b"/")
        directory = self._directories.get(head)
        if directory is None:
            directory = ROOT
            for component in head.split(b"/"):
                directory = self._child(directory, component)
            self._directories[head] = directory
        return self._child(directory, name, guess)

    def path_of(self, inode: int) -> bytes | None:
        """Return the path that names *inode* first. None if there is no quick way to it."""
        del inode
        return None

    def _child(self, directory: int, name: bytes, guess: int = 0) -> int:
        """Return the inode of *name* in *directory*, 0 when there is none."""
        raise NotImplementedError


class Lookup(WayDown):
    """The way down in the table of one kernel, or of any archive."""

    __slots__ = ("_heads", "_table")

    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table
        self._heads: dict[int, bytes] = {}
        """What stands before the names in a directory, by its inode."""

    def path_of(self, inode: int) -> bytes:
        """See WayDown.path_of."""
        page = self._table.page_of(inode)
        entry = page.naming_entry(inode)
        directory = self._table.parent(entry)
        head = self._heads.get(directory)
        if head is None:
            self._table.directory(directory)  # raises DamagedArchive if names in it are not sound
            above = b"" if directory == ROOT else self.path_of(directory) + b"/"
            head = self._heads[directory] = above
        return head + page.name(entry)

    def _child(self, directory: int, name: bytes, guess: int = 0) -> int:
        if not directory:
            return 0
        page, entries = self._table.directory(directory)
        # Unless there are hard links, inodes follow each other as entries do.
        entry = page.first_entry + guess - first_named(page.first_inode)
        if entry in entries and page.name(entry) == name:
            return page.inode(entry)
        place = bisect_left(entries, name, key=page.name)
        if place < len(entries) and page.name(entries[place]) == name:
            return page.inode(entries[place])
        return 0
