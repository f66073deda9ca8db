"""All pages of an archive of several kernels. Each is decoded when it is needed.

Inode numbers (tools/docs/fleet-index.md): a file or a symlink has one number for its version, in
all kernels that have it. A directory has one number for each kernel. The numbers of the first
kernel's directories come behind those of all versions, then those of the second kernel's.
"""

from __future__ import annotations

import stat
from bisect import bisect_right
from typing import TYPE_CHECKING

from kheadersfs.archive.fleet.page import FleetPage
from kheadersfs.archive.names.making import Pages
from kheadersfs.archive.names.page import ROOT, Described, Place
from kheadersfs.archive.names.soundness import check_listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kheadersfs.archive.fleet.kernels import Directory, FleetKernel
    from kheadersfs.archive.names.outline import Outline


class FleetTable(Pages[FleetPage]):
    """The pages of an archive of several kernels. May be used from any thread.

    Any method that reads a page raises DamagedArchive when the page contradicts itself or the
    outline.
    """

    def __init__(
        self,
        archive: str,
        root: Directory,
        kernels: list[FleetKernel],
        sets: list[int],
        outline: Outline,
        first_directories: Sequence[int],
        make: Callable[[int], FleetPage],
    ) -> None:
        """*make* decodes the page of a number, or raises ValueError if it is not sound.

        *sets* are bits, one for each kernel. *first_directories* are the numbers of each page's
        first directory, and at last the number of all directories.
        """
        super().__init__(archive, outline.bounds, outline.content_size, make)
        self.root = root
        self.kernels = kernels
        self.sets = sets
        self._numbers = {kernel.name: number for number, kernel in enumerate(kernels)}
        self._first_directories = first_directories
        self._entered: set[int] = set()

    @property
    def directories(self) -> int:
        """Number of directories of all kernels together; each kernel has some of them."""
        return self._first_directories[-1]

    @property
    def versions_end(self) -> int:
        """The inode number behind the last version's: that of the first kernel's root."""
        return self.bounds.inodes[-1]

    @property
    def inodes(self) -> int:
        """Number of inode numbers from ROOT on. Those of directories that a kernel lacks count."""
        return self.versions_end + len(self.kernels) * self.directories - ROOT

    def kernel_number(self, name: bytes) -> int | None:
        """Return the number of the kernel whose directory is *name*, None if there is none."""
        return self._numbers.get(name)

    def page_of_version(self, inode: int) -> FleetPage:
        """Return the page that has the version *inode*."""
        return self.page(bisect_right(self.bounds.inodes, inode) - 1)

    def place(self, inode: int) -> Place:
        """Return kernel and directory of *inode*. Raises IndexError unless it is a directory's."""
        if not self.versions_end <= inode < ROOT + self.inodes:
            raise IndexError(inode)
        return Place(*divmod(inode - self.versions_end, self.directories))

    def inode_of(self, place: Place) -> int:
        """Return the inode number of the directory at *place*."""
        return self.versions_end + place.kernel * self.directories + place.directory

    def _naming_page(self, directory: int) -> tuple[FleetPage, int]:
        """Return the page that names *directory*, and its index in that page's ``directories``."""
        page = self.page(bisect_right(self._first_directories, directory) - 1)
        return page, directory - page.first_directory

    def version_of(self, page: FleetPage, entry: int, kernel: int) -> int | None:
        """Return the row of the version of *entry* that *kernel* has, None if it has none."""
        for row in page.rows(entry):
            if self.sets[page.kernel_set[row]] >> kernel & 1:
                return row
        return None

    def child(self, page: FleetPage, entry: int, row: int, kernel: int) -> int:
        """Return the inode number in *kernel* of *row*, a version of *entry*."""
        if stat.S_ISDIR(page.mode[row]):
            return self.inode_of(Place(kernel, page.directory_number(entry)))
        return page.first_inode + row

    def directory(self, directory: int) -> tuple[FleetPage, range]:
        """Return the entries that *directory* has in all kernels together, and their page.

        They are checked the first time. Raises DamagedArchive.
        """
        own, number = self._naming_page(directory)
        first, last = own.children[number], own.children[number + 1]
        if first == last:
            return own, range(0)
        page = self.page(bisect_right(self.bounds.entries, first) - 1)
        entries = range(first, last)
        if directory not in self._entered:
            try:
                self._check_directory(own, own.directories[number], page, entries)
            except ValueError as error:
                raise self.failure(error) from error
            self._entered.add(directory)
        return page, entries

    def _check_directory(self, own: FleetPage, entry: int, page: FleetPage, entries: range) -> None:
        """Check the *entries* on *page* of the directory that is *entry* on page *own*.

        They must be on one page and sorted, and kernels may have them only where they have the
        directory. Raises ValueError.
        """
        if entries.stop > page.first_entry + len(page.entry_rows) - 1:
            raise ValueError("a directory is in two pages")
        check_listing([page.name(child) for child in entries])
        having = (1 << len(self.kernels)) - 1
        if entry >= 0:
            having = 0
            for row in own.rows(entry):
                if stat.S_ISDIR(own.mode[row]):
                    having |= self.sets[own.kernel_set[row]]
        first, last = page.rows(entries[0]).start, page.rows(entries[-1]).stop
        if any(self.sets[number] & ~having for number in set(page.kernel_set[first:last])):
            raise ValueError("a kernel has a name in a directory that it does not have")

    def root_of(self, kernel: int) -> int:
        """Return the inode number of the root of *kernel*, its directory in the archive's root."""
        return self.inode_of(Place(kernel, 0))

    def roots(self) -> Iterator[tuple[bytes, int]]:
        """Yield name and inode number of each kernel's root, sorted by name."""
        for number, kernel in enumerate(self.kernels):
            yield kernel.name, self.root_of(number)

    def listing(self, place: Place) -> Iterator[tuple[bytes, int]]:
        """Yield name and inode number of everything in the directory at *place*, by name."""
        page, entries = self.directory(place.directory)
        kernel = place.kernel
        within = [members >> kernel & 1 for members in self.sets]
        for entry in entries:
            for row in page.rows(entry):
                if within[page.kernel_set[row]]:
                    yield page.name(entry), self.child(page, entry, row, kernel)

    def walk(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield path, inode number and kernels, as bits, of every version.

        A path is relative to a kernel's root. Kernels' roots are left out. A directory comes before
        what is in it. If several kernels have it, the inode number is the first kernel's. Raises
        DamagedArchive.
        """
        pending = [(b"", 0)]
        while pending:
            path, directory = pending.pop()
            page, entries = self.directory(directory)
            for entry in entries:
                name = path + b"/" + page.name(entry) if path else page.name(entry)
                for row in page.rows(entry):
                    members = self.sets[page.kernel_set[row]]
                    first = (members & -members).bit_length() - 1
                    yield name, self.child(page, entry, row, first), members
                if any(stat.S_ISDIR(page.mode[row]) for row in page.rows(entry)):
                    pending.append((name, page.directory_number(entry)))

    def described(self, inode: int) -> Described:
        """Return mode, time, size and links of *inode*. Raises IndexError if there is none."""
        if inode == ROOT:
            return Described(*self.root, 0, 2 + len(self.kernels))
        if inode < ROOT:
            raise IndexError(inode)
        if inode < self.versions_end:
            page = self.page_of_version(inode)
            row = inode - page.first_inode
            links = self.sets[page.kernel_set[row]].bit_count()
            return Described(page.mode[row], page.mtime[row], page.size[row], links)
        place = self.place(inode)
        if place.directory:
            page, number = self._naming_page(place.directory)
            version = self.version_of(page, page.directories[number], place.kernel)
            if version is None or not stat.S_ISDIR(page.mode[version]):
                raise IndexError(inode)
            mode, mtime = page.mode[version], page.mtime[version]
        else:
            mode, mtime = self.kernels[place.kernel].root
        return Described(mode, mtime, 0, 2 + self._subdirectories(place))

    def extent(self, inode: int) -> tuple[int, int]:
        """Return offset in the stream and size, in bytes, of the content of the file *inode*.

        Raises IndexError for a number that no file can have.
        """
        if not ROOT < inode < self.versions_end:
            raise IndexError(inode)
        page = self.page_of_version(inode)
        row = inode - page.first_inode
        return page.start[row], page.size[row]

    def _subdirectories(self, place: Place) -> int:
        """Return the number of directories in the one at *place*."""
        page, entries = self.directory(place.directory)
        if not entries:
            return 0
        first, last = page.rows(entries[0]).start, page.rows(entries[-1]).stop
        kernel = place.kernel
        return sum(
            stat.S_ISDIR(page.mode[row]) and self.sets[page.kernel_set[row]] >> kernel & 1
            for row in range(first, last)
        )

    def target(self, inode: int) -> bytes:
        """Return the target of the symlink *inode*."""
        page = self.page_of_version(inode)
        row = inode - page.first_inode
        return page.targets[page.start[row] : page.start[row] + page.size[row]]

    def naming(self, inode: int, kernel: int | None) -> tuple[Place, bytes]:
        """Return the directory that a name of *inode* is in, and the name.

        The name is that in *kernel*, or in the first kernel that has *inode*. This cannot be the
        archive's root or a kernel's. Raises IndexError if there is no such inode.
        """
        if inode < self.versions_end:
            page = self.page_of_version(inode)
            row = inode - page.first_inode
            entry = page.entry_of(row)
            members = self.sets[page.kernel_set[row]]
            if kernel is None or not members >> kernel & 1:
                kernel = (members & -members).bit_length() - 1
        else:
            own = self.place(inode)
            kernel = own.kernel
            page, number = self._naming_page(own.directory)
            entry = page.directories[number]
        return Place(kernel, self._parent(entry)), page.name(entry)

    def _parent(self, entry: int) -> int:
        """Return the number of the directory that *entry* is in."""
        page = self.page(bisect_right(self.bounds.children, entry) - 1)
        # Several directories may have the same first entry: all but the last of them are empty.
        return page.first_directory + bisect_right(page.children, entry) - 1

    def files(self, number: int) -> list[tuple[int, int]]:
        """Return offset and inode number of each file on page *number* that is not empty, sorted.

        Offsets are those of contents in the stream, in bytes.
        """
        page = self.page(number)
        return sorted(
            (page.start[row], page.first_inode + row)
            for row, mode in enumerate(page.mode)
            if page.size[row] and stat.S_ISREG(mode)
        )

    def count(self, file_type: int) -> int:
        """Return the number of inodes of *file_type*, such as stat.S_IFREG.

        A directory counts once for each kernel that has it. The roots are left out.
        """
        found = (
            members.bit_count() if file_type == stat.S_IFDIR else 1
            for _, inode, members in self.walk()
            if stat.S_IFMT(self.described(inode).mode) == file_type
        )
        return sum(found)

    def check(self) -> None:
        """Check all pages and directories, so that no later read fails. Raises DamagedArchive."""
        for number in range(len(self)):
            self.page(number)
        for directory in range(self.directories):
            self.directory(directory)
