"""One archive, opened to be looked into without FUSE: its entries, and the content of each."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.opening import open_archive as open_container
from kheadersfs.archive.readers import WholeReader
from kheadersfs.errors import DamagedArchive, NotInArchive, UsageError
from kheadersfs.kernel.release import (
    CONFIGURATION_HEADER,
    LARGEST_DESCRIPTION,
    RELEASE_HEADER,
    headers_arch,
    headers_release,
)
from kheadersfs.limits import DEFAULT_BUDGET, DEFAULT_LIMITS, Limits
from kheadersfs.store import Store
from kheadersfs.tree import Tree, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from kheadersfs.archive.content import Content
    from kheadersfs.archive.opening import Archive
    from kheadersfs.archive.readers import Reader


class Entry(NamedTuple):
    """One name in an archive.

    ``path`` is relative to the archive's root, without ``./``; bytes that are not UTF-8 are
    there as os.fsdecode() makes them. ``mode`` is st_mode, ``size`` in bytes, ``mtime`` in
    nanoseconds, ``links`` st_nlink; names with the same ``inode`` are hard links. ``target`` is a
    symlink's, else None.
    """

    path: str
    mode: int
    size: int
    mtime: int
    links: int
    inode: int
    target: str | None

    @property
    def is_file(self) -> bool:
        """Whether there is content to read."""
        return stat.S_ISREG(self.mode)


class HeaderArchive:
    """An archive of kernel headers, for looking into without FUSE.

    Iterate over it for its entries, each directory before its content and otherwise by name;
    ``read`` returns one file. Use it as a context manager, or call ``close``. What is read
    is decompressed when it is asked for, and at most ``budget`` bytes of it are held.
    """

    def __init__(
        self,
        archive: Archive,
        budget: int = DEFAULT_BUDGET,
        reader: type[Reader] = WholeReader,
        kernel: int | None = None,
    ) -> None:
        """Show the kernel with number *kernel* alone, if there are several; None for all."""
        self.archive = archive
        self.kernel = kernel
        """The number of the one that is shown alone, None for all that there are."""
        self._notes: list[str] | None = None
        self._reader = reader(archive)
        self._budget = budget
        self._tree: Tree | None = None
        self._store: Store | None = None

    def __enter__(self) -> HeaderArchive:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self) -> None:
        """Import whatever reading takes, because importing will not be possible any more."""
        self._reader.prepare()

    @property
    def format(self) -> str:
        """What the members are written as: "tar" or "cpio". Decodes the first block."""
        return self._reader.format

    def close(self) -> None:
        """Close the file."""
        self.archive.close()

    @property
    def notes(self) -> list[str]:
        """What is odd about the archive, see Content.notes; kept when the rest is let go of."""
        return self.content.notes if self._notes is None else self._notes

    def forget(self) -> None:
        """Let go of what was read; whoever asks again has it read again."""
        self._notes = self.notes
        self._reader = type(self._reader)(self.archive)
        self._tree = self._store = None

    @property
    def content(self) -> Content:
        """What was read of the archive. Raises DamagedArchive, UnsupportedArchive."""
        return self._reader.load()

    @property
    def tree(self) -> Tree:
        """The tree of names. Raises DamagedArchive, UnsupportedArchive."""
        if self._tree is None:
            self._tree = tree_of(self.content.table, self.kernel)
        return self._tree

    @property
    def store(self) -> Store:
        """The files' content by extent."""
        if self._store is None:
            self._store = Store(self.content.blocks, self._budget)
        return self._store

    def __iter__(self) -> Iterator[Entry]:
        return self.below(".")

    def require_complete(self) -> None:
        """Raise DamagedArchive if there may be more in the archive than can be seen."""
        if self.content.damage:
            raise DamagedArchive(self.content.damage)

    def entry(self, path: str) -> Entry:
        """Return the entry at *path*. Raises NotInArchive when there is none."""
        return self._entry(os.fsencode(path), self._inode(path))

    def below(self, path: str) -> Iterator[Entry]:
        """Yield the entry at *path* (not the root) and, if it is a directory, all below it.

        Raises NotInArchive when there is none; after the last entry, DamagedArchive if damage may
        have hidden more.
        """
        return (self._entry(*found) for found in self._walk(path))

    def paths_below(self, path: str) -> Iterator[str]:
        """Yield the paths alone of what below() yields, which takes half the time."""
        return (os.fsdecode(found) for found, _ in self._walk(path))

    def _walk(self, path: str) -> Iterator[tuple[bytes, int]]:
        inode = self._inode(path)
        raw = b"/".join(part for part in os.fsencode(path).split(b"/") if part not in (b"", b"."))
        if raw:
            yield raw, inode
        yield from self.tree.walk(inode, raw)
        self.require_complete()

    def read(self, path: str) -> bytes:
        """Return the content of the file at *path*; symlinks are not followed.

        Raises NotInArchive when there is none, UsageError when it is no file, DamagedArchive when
        its content is damaged.
        """
        inode = self._inode(path)
        mode = self.tree.attributes(inode).mode
        if stat.S_ISLNK(mode):
            target = os.fsdecode(self.tree.target(inode))
            raise UsageError(f"{path}: is a symlink to {target}; read that")
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path}: is a directory; kheadersfs ls shows what is in it")
        return self.store.read(*self.tree.extent(inode))

    @property
    def release(self) -> str | None:
        """The release of the kernel that the headers belong to, None if they do not say."""
        if self.kernel is not None:
            return self.content.kernels[self.kernel].release or None
        return self.content.release or self._find(RELEASE_HEADER, headers_release)

    @property
    def arch(self) -> str | None:
        """The headers' architecture as the kernel names its directory: x86, arm64."""
        if self.kernel is not None:
            return self.content.kernels[self.kernel].arch or None
        return self.content.arch or self._find(CONFIGURATION_HEADER, headers_arch)

    def _find(self, path: str, parse: Callable[[bytes], str | None]) -> str | None:
        inode = self.tree.resolve(path.encode())
        if not inode:
            return None
        attributes = self.tree.attributes(inode)
        if not stat.S_ISREG(attributes.mode) or attributes.size > LARGEST_DESCRIPTION:
            return None
        return parse(self.store.read(*self.tree.extent(inode)))

    def _inode(self, path: str) -> int:
        inode = self.tree.resolve(os.fsencode(path))
        if not inode:
            self.require_complete()
            raise NotInArchive(
                f"{path}: is not in {self.archive.source.name}; kheadersfs ls shows what is"
            )
        return inode

    def _entry(self, path: bytes, inode: int) -> Entry:
        """Return what *inode* is, which is named *path*."""
        attributes = self.tree.attributes(inode)
        target = None
        if stat.S_ISLNK(attributes.mode):
            target = os.fsdecode(self.tree.target(inode))
        return Entry(
            os.fsdecode(path),
            attributes.mode,
            attributes.size,
            attributes.mtime,
            attributes.links,
            inode,
            target,
        )


def open_archive(
    path: str | os.PathLike[str], budget: int = DEFAULT_BUDGET, limits: Limits = DEFAULT_LIMITS
) -> HeaderArchive:
    """Open the archive at *path*; *budget* is how many bytes of decoded content to hold.

    Raises ArchiveUnavailable, UnsupportedArchive, RefusedArchive when it is beyond *limits*, or
    DamagedArchive when it looks incomplete. It is parsed in this process with all the rights that
    this has; the commands give theirs up before.
    """
    return HeaderArchive(open_container(os.fspath(path), limits), budget)
