"""All pages of an archive of several kernels, each made when it is needed.

A file or symlink has the number of its version, one for all kernels that have it. A directory has
a number for each kernel: behind all versions come the first kernel's directories, then the
second's.
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

    What is read of a page that lies raises DamagedArchive.
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
        """*make* makes a page, sound in itself, or raises ValueError."""
        super().__init__(archive, outline.bounds, outline.content_size, make)
        self.root = root
        self.kernels = kernels
        self.sets = sets
        self._numbers = {kernel.name: number for number, kernel in enumerate(kernels)}
        self._first_directories = first_directories
        self._entered: set[int] = set()

    @property
    def directories(self) -> int:
        """How many directories a kernel can have."""
        return self._first_directories[-1]

    @property
    def versions_end(self) -> int:
        """The number behind that of the last version, which is the first directory's."""
        return self.bounds.inodes[-1]

    @property
    def inodes(self) -> int:
        """How many inode numbers there are, from ROOT on; not every kernel has every directory."""
        return self.versions_end + len(self.kernels) * self.directories - ROOT

    def kernel_number(self, name: bytes) -> int | None:
        """Return the number of the kernel whose directory is *name*."""
        return self._numbers.get(name)

    def page_of_version(self, inode: int) -> FleetPage:
        """Return the page that has the version *inode*."""
        return self.page(bisect_right(self.bounds.inodes, inode) - 1)

    def place(self, inode: int) -> Place:
        """Return the directory that *inode* is. Raises IndexError."""
        if not self.versions_end <= inode < ROOT + self.inodes:
            raise IndexError(inode)
        return Place(*divmod(inode - self.versions_end, self.directories))

    def inode_of(self, place: Place) -> int:
        """Return the number of the inode at *place*."""
        return self.versions_end + place.kernel * self.directories + place.directory

    def _naming_page(self, directory: int) -> tuple[FleetPage, int]:
        """Return the page that has *directory*, and its place among that page's directories."""
        page = self.page(bisect_right(self._first_directories, directory) - 1)
        return page, directory - page.first_directory

    def version_of(self, page: FleetPage, entry: int, kernel: int) -> int | None:
        """Return the row of the version of *entry* that *kernel* has."""
        for row in page.rows(entry):
            if self.sets[page.kernel_set[row]] >> kernel & 1:
                return row
        return None

    def child(self, page: FleetPage, entry: int, row: int, kernel: int) -> int:
        """Return the inode that *row*, the version of *entry*, is in *kernel*."""
        if stat.S_ISDIR(page.mode[row]):
            return self.inode_of(Place(kernel, page.directory_number(entry)))
        return page.first_inode + row

    def directory(self, directory: int) -> tuple[FleetPage, range]:
        """Return the entries of *directory* in any kernel, and the page that has them all."""
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
        """Check that *entries*, of the directory *entry* of page *own*, can be there."""
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
        """Return the inode of a kernel's directory."""
        return self.inode_of(Place(kernel, 0))

    def roots(self) -> Iterator[tuple[bytes, int]]:
        """Yield name and inode of each kernel's directory, sorted."""
        for number, kernel in enumerate(self.kernels):
            yield kernel.name, self.root_of(number)

    def listing(self, place: Place) -> Iterator[tuple[bytes, int]]:
        """Yield name and inode of all that the directory at *place* has, sorted."""
        page, entries = self.directory(place.directory)
        kernel = place.kernel
        within = [members >> kernel & 1 for members in self.sets]
        for entry in entries:
            for row in page.rows(entry):
                if within[page.kernel_set[row]]:
                    yield page.name(entry), self.child(page, entry, row, kernel)

    def walk(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield path, inode and kernels, as bits, of every version, directories before content.

        Of a directory that several kernels have, the inode is the first's. Kernels' roots are left
        out. Raises DamagedArchive.
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
        """Return what *inode* is. Raises IndexError if there is none, DamagedArchive."""
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
        """Return start and size in bytes of the content of the file *inode*."""
        if not ROOT < inode < self.versions_end:
            raise IndexError(inode)
        page = self.page_of_version(inode)
        row = inode - page.first_inode
        return page.start[row], page.size[row]

    def _subdirectories(self, place: Place) -> int:
        """Count the directories in the one at *place*."""
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
        """Return where a name of *inode* is, and the name: in *kernel*, or the first that has it.

        *inode* is neither the archive's root nor a kernel's. Raises IndexError, DamagedArchive.
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
        # Of directories with the same first entry all but the last are empty.
        return page.first_directory + bisect_right(page.children, entry) - 1

    def files(self, number: int) -> list[tuple[int, int]]:
        """Return start and inode of each file with content in page *number*, sorted."""
        page = self.page(number)
        return sorted(
            (page.start[row], page.first_inode + row)
            for row, mode in enumerate(page.mode)
            if page.size[row] and stat.S_ISREG(mode)
        )

    def count(self, file_type: int) -> int:
        """Count what is of *file_type*, one of those of module stat, directories for each kernel.

        Kernels' roots and the archive's are left out.
        """
        found = (
            members.bit_count() if file_type == stat.S_IFDIR else 1
            for _, inode, members in self.walk()
            if stat.S_IFMT(self.described(inode).mode) == file_type
        )
        return sum(found)

    def check(self) -> None:
        """Look at everything, so that nothing can be found to lie later. Raises DamagedArchive."""
        for number in range(len(self)):
            self.page(number)
        for directory in range(self.directories):
            self.directory(directory)
