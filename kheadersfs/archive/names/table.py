"""All pages of an archive, each made when it is needed.

What one pass has read is one page. An embedded index has many, each of some thousands of names, so
that one file of a huge archive is found without reading the names of all others.
"""

from __future__ import annotations

import stat
from bisect import bisect_right

from kheadersfs.archive.names import soundness
from kheadersfs.archive.names.bounds import Bounds
from kheadersfs.archive.names.making import Pages
from kheadersfs.archive.names.page import ROOT, Described, Page, join
from kheadersfs.bare import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Table(Pages[Page]):
    """The pages of an archive. May be used from any thread.

    What is read of a page that lies raises DamagedArchive.
    """

    __slots__ = ("_directory_rows", "_entered")

    kernels = ()
    """An index of one kernel lists none; see fleet.table for one of several."""

    def __init__(
        self, archive: str, bounds: Bounds, content_size: int, make: Callable[[int], Page]
    ) -> None:
        """*make* makes a page, sound in itself, or raises ValueError; *content_size* is of all."""
        super().__init__(archive, bounds, content_size, make)
        self._entered: set[int] = set()
        self._directory_rows: dict[int, array[int]] = {}
        """The rows of directories, by number of the page, of pages where a parent was looked for.
        To find them takes a look at every inode of the page."""

    @classmethod
    def of(cls, page: Page, archive: str = "archive") -> Table:
        """Return the table of which *page* is all."""
        entries, inodes = len(page.entry_inode), len(page.inode_mode)
        bounds = Bounds(
            array("I", (0, entries)), array("I", (ROOT, ROOT + inodes)), array("I", (0, entries))
        )
        content_size = sum(map(page.inode_size.__getitem__, page.rows(stat.S_IFREG)))
        return cls(archive, bounds, content_size, lambda _number: page)

    @property
    def entries(self) -> int:
        """How many names there are."""
        return self.bounds.entries[-1]

    @property
    def inodes(self) -> int:
        """How many inodes there are, the root included."""
        return self.bounds.inodes[-1] - ROOT

    def page_of(self, inode: int) -> Page:
        """Return the page that has *inode*. Raises IndexError if none has, DamagedArchive."""
        if not ROOT <= inode < self.bounds.inodes[-1]:
            raise IndexError(inode)
        return self.page(bisect_right(self.bounds.inodes, inode) - 1)

    def directory(self, inode: int) -> tuple[Page, range]:
        """Return the entries of the directory *inode*, and the page that has them all.

        There are none if it is no directory. Raises IndexError, DamagedArchive.
        """
        own = self.page_of(inode)
        row = inode - own.first_inode
        if not stat.S_ISDIR(own.inode_mode[row]):
            return own, range(0)
        start, size = own.inode_start[row], own.inode_size[row]
        page = self.page(bisect_right(self.bounds.entries, start) - 1) if size else own
        entries = range(start, start + size)
        if inode not in self._entered:
            try:
                soundness.check_directory(page, entries, own.inode_links[row])
            except ValueError as error:
                raise self.failure(error) from error
            self._entered.add(inode)
        return page, entries

    def parent(self, entry: int) -> int:
        """Return the inode of the directory that *entry* is in. Raises DamagedArchive."""
        number = bisect_right(self.bounds.children, entry) - 1
        page = self.page(number)
        rows = self._directory_rows.get(number)
        if rows is None:
            rows = self._directory_rows[number] = array("I", page.rows(stat.S_IFDIR))
        # Several directories may have the same start. All but the last of them are empty.
        row = rows[bisect_right(rows, entry, key=page.inode_start.__getitem__) - 1]
        return page.first_inode + row

    def described(self, inode: int) -> Described:
        """Return what *inode* is. Raises IndexError if there is none, DamagedArchive."""
        page = self.page_of(inode)
        row = inode - page.first_inode
        return Described(
            page.inode_mode[row], page.inode_mtime[row], page.inode_size[row], page.inode_links[row]
        )

    def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*."""
        return self.page_of(inode).target(inode)

    def files(self, number: int) -> list[tuple[int, int]]:
        """Return start and inode of each file with content in page *number*, sorted."""
        page = self.page(number)
        sizes = page.inode_size
        rows = [row for row in page.rows(stat.S_IFREG) if sizes[row]]
        starts = map(page.inode_start.__getitem__, rows)
        return sorted(zip(starts, map(page.first_inode.__add__, rows), strict=True))

    def count(self, file_type: int) -> int:
        """Count the inodes of *file_type*, which is one of those of module stat."""
        return len(self.whole().rows(file_type))

    def whole(self) -> Page:
        """Return all pages as one. Raises DamagedArchive."""
        pages = [self.page(number) for number in range(len(self))]
        return pages[0] if len(pages) == 1 else join(pages)

    def check(self) -> None:
        """Look at everything, so that nothing can be found to lie later. Raises DamagedArchive."""
        whole = self.whole()
        try:
            soundness.check_links(whole)
        except ValueError as error:
            raise self.failure(error) from error
        for row in whole.rows(stat.S_IFDIR):
            self.directory(ROOT + row)
