"""Read kernels one after the other, and keep what each has that those before it have not.

Each input is read once, from front to back. Contents wait in a file until they are written. In
memory there is, for each name, one version for all kernels that have the same there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.fleet.kernels import Directory
from kheadersfs.archive.fleet.verifying import require_all_names
from kheadersfs.archive.names.page import LATEST, ROOT
from kheadersfs.archive.names.table import Table
from kheadersfs.errors import RefusedArchive, UsageError
from kheadersfs.kernel.including import inclusions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    from kheadersfs.archive.fleet.table import FleetTable
    from kheadersfs.kernel.including import Inclusion
    from kheadersfs.reader import HeaderArchive


class Source(NamedTuple):
    """An archive, and what its kernel is called: empty for what the archive itself says."""

    name: bytes
    archive: HeaderArchive


class GatheredKernel(NamedTuple):
    """A kernel: its directory's name, release and SRCARCH, its root, and where it came from."""

    name: bytes
    release: str
    arch: str
    root: Directory
    origin: str


class Found:
    """A file, directory or symlink that some kernels have in common at a path.

    ``members`` are these kernels, as bits in the order in which they were read. A file's content is
    at ``offset`` in the spool, and at ``start`` in the new archive.
    """

    __slots__ = ("members", "mode", "mtime", "offset", "size", "start", "target")

    def __init__(
        self, members: int, mode: int, mtime: int, size: int = 0, target: bytes = b""
    ) -> None:
        self.members = members
        self.mode = mode
        self.mtime = mtime
        self.size = size
        self.target = target
        self.offset = 0
        self.start = 0

    @property
    def first(self) -> int:
        """The number of the first kernel that has it."""
        return (self.members & -self.members).bit_length() - 1


class Spool:
    """Contents in a file that is open, one behind the other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._size = 0

    def add(self, content: bytes) -> int:
        """Write *content* behind all that is there, and return where it begins. Raises OSError."""
        offset, view = self._size, memoryview(content)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._size += len(content)
        return offset

    def read(self, offset: int, size: int) -> bytes:
        """Return *size* bytes from *offset*."""
        return os.pread(self._descriptor, size, offset)


class HasHardLinks(Exception):
    """A kernel has a file under several names, which an index of several kernels cannot say."""


class Gathering:
    """The kernels so far. ``versions`` are by path from a kernel's root."""

    def __init__(self, file: IO[bytes]) -> None:
        self.spool = Spool(file)
        self.kernels: list[GatheredKernel] = []
        self.versions: dict[bytes, list[Found]] = {}
        self.included: dict[bytes, dict[Inclusion, None]] = {}
        self._files: dict[tuple[bytes, int, bytes], Found] = {}
        """By path, mode and SHA-256."""

    def add(self, source: Source, left_out: Callable[[bytes], bool]) -> None:
        """Read *source*, but no kernel of it whose name is *left_out*.

        Raises KheadersfsError, HasHardLinks.
        """
        archive = source.archive
        archive.require_complete()
        refusals = archive.content.refusals
        origin = archive.archive.source.name
        if refusals:
            raise RefusedArchive(
                f"{origin}: {refusals[0]}, so it cannot be packed as it is; "
                "make the archive without it"
            )
        table = archive.content.table
        if isinstance(table, Table):
            if table.bounds.has_hard_links:
                raise HasHardLinks
            self._add_one(source, table)
        elif source.name:
            raise UsageError(
                f"{os.fsdecode(source.name)}={origin}: has several kernels already, with names of "
                "their own; give it without a name"
            )
        else:
            self._add_fleet(archive, table, left_out)

    def _add_one(self, source: Source, table: Table) -> None:
        """Add the one kernel in *source*. Raises UsageError when it has no name."""
        archive = source.archive
        root = table.described(ROOT)
        release, arch = archive.release or "", archive.arch or ""
        name = source.name or release.encode()
        origin = archive.archive.source.name
        if not name:
            raise UsageError(
                f"{origin}: does not say of which kernel it is; name it: NAME={origin}"
            )
        members = self._new_kernel(
            GatheredKernel(name, release, arch, Directory(root.mode, root.mtime), origin)
        )
        tree = archive.tree
        self._add_versions(archive, ((path, inode, members) for path, inode in tree.walk()))

    def _add_fleet(
        self, archive: HeaderArchive, table: FleetTable, left_out: Callable[[bytes], bool]
    ) -> None:
        """Add those of several kernels whose names are not *left_out*."""
        # Else a header that the index keeps back would be lost for good.
        require_all_names(table, archive.content.blocks, lambda _done, _of: None)
        bits: dict[int, int] = {}
        for number, kernel in enumerate(table.kernels):
            if not left_out(kernel.name):
                gathered = GatheredKernel(*kernel, archive.archive.source.name)
                bits[number] = self._new_kernel(gathered)
        renumbered = {
            members: sum(bit for number, bit in bits.items() if members >> number & 1)
            for members in table.sets
        }
        self._add_versions(
            archive,
            (
                (path, inode, renumbered[members])
                for path, inode, members in table.walk()
                if renumbered[members]
            ),
        )

    def _new_kernel(self, kernel: GatheredKernel) -> int:
        """Add *kernel* and return its bit. Raises UsageError when one has its name already."""
        name = os.fsdecode(kernel.name)
        for other in self.kernels:
            if other.name == kernel.name:
                raise UsageError(
                    f"{kernel.origin}: its kernel is called {name}, as that of {other.origin}; "
                    "give one of them another name: NAME=IN"
                )
        self.kernels.append(kernel)
        return 1 << len(self.kernels) - 1

    def _add_versions(
        self, archive: HeaderArchive, found: Iterable[tuple[bytes, int, int]]
    ) -> None:
        """Add what is *found* in *archive*: path, inode, and the kernels that have it."""
        table, files = archive.content.table, []
        for path, inode, members in found:
            mode, mtime, size, _ = table.described(inode)
            require_known_time(archive, path, mtime)
            if stat.S_ISREG(mode):
                files.append((archive.tree.extent(inode), path, mode, mtime, members))
            elif stat.S_ISDIR(mode):
                self._add_directory(path, mode, mtime, members)
            else:
                # A symlink is a member of its own for each kernel.
                target = table.target(inode)
                for bit in _bits(members):
                    self._note(path, Found(bit, mode, mtime, size, target))
        # Files are read in the order in which they lie in the archive, so no block is decoded
        # twice.
        for extent, path, mode, mtime, members in sorted(files):
            self._add_file(path, mode, mtime, members, archive.store.read(*extent))

    def _add_directory(self, path: bytes, mode: int, mtime: int, members: int) -> None:
        for there in self.versions.get(path, ()):
            if (there.mode, there.mtime) == (mode, mtime):
                there.members |= members
                return
        self._note(path, Found(members, mode, mtime))

    def _add_file(self, path: bytes, mode: int, mtime: int, members: int, content: bytes) -> None:
        key = (path, mode, hashlib.sha256(content).digest())
        known = self._files.get(key)
        if known is not None:
            known.members |= members
            return
        found = self._files[key] = Found(members, mode, mtime, len(content))
        found.offset = self.spool.add(content)
        self._note(path, found)
        if path.endswith(b".h"):
            self.included.setdefault(path, {}).update(dict.fromkeys(inclusions(content)))

    def _note(self, path: bytes, found: Found) -> None:
        self.versions.setdefault(path, []).append(found)

    def sort(self) -> None:
        """Put kernels into the order of their names, so that it does not matter how they came."""
        by_name = sorted(range(len(self.kernels)), key=lambda number: self.kernels[number].name)
        self.kernels = [self.kernels[number] for number in by_name]
        place = {number: place for place, number in enumerate(by_name)}
        known: dict[int, int] = {}
        for there in self.versions.values():
            for found in there:
                members = found.members
                if members not in known:
                    known[members] = sum(1 << place[bit.bit_length() - 1] for bit in _bits(members))
                found.members = known[members]
            there.sort(key=lambda found: found.first)

    def read(self, found: Found) -> Callable[[], bytes]:
        """Return what reads the content of *found*."""
        return partial(self.spool.read, found.offset, found.size)


def _bits(members: int) -> Iterator[int]:
    while members:
        yield members & -members
        members &= members - 1


def require_known_time(archive: HeaderArchive, name: bytes, mtime: int) -> None:
    """Raise RefusedArchive if *mtime*, of the member *name*, stands for one farther from 1970."""
    if abs(mtime) == LATEST:
        raise RefusedArchive(
            f"{archive.archive.source.name}: {os.fsdecode(name) or 'its root'} has a time more "
            "than 292 years from 1970, which cannot be held; make the archive with another one"
        )
