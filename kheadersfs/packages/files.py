"""The content of several packages as one file system below /, as if all of them were installed.

Symlinks may lead from one package into another.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.page import ROOT
from kheadersfs.errors import KheadersfsError, RefusedArchive
from kheadersfs.kernel.files import Files
from kheadersfs.pack.selection import Header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kheadersfs.packages.package import Package

_MOST_LINKS = 40
"""Symlinks that are followed in one path, as many as Linux follows: path_resolution(7)."""


class _Node(NamedTuple):
    """What is at a path: the number of its package, its inode there, and its st_mode."""

    package: int
    inode: int
    mode: int


class PackageFiles(Files):
    """The files of *packages*. A directory that several packages have is merged.

    Paths are absolute. Where several packages have a file of the same path, the first one's is
    shown. The names in all packages are read at once. Raises what reading an archive raises;
    RefusedArchive when a package has unsafe members, DamagedArchive when one is not whole.
    """

    def __init__(self, packages: Sequence[Package]) -> None:
        self._packages = packages
        self._nodes: dict[bytes, _Node] = {}
        self._names: dict[bytes, list[bytes]] = {}
        for number, package in enumerate(packages):
            package.require_sound()
            content = package.content
            content.require_complete()
            if content.content.refusals:
                raise RefusedArchive(f"{package.name}: {content.content.refusals[0]}")
            for path, inode in [(b"", ROOT), *content.tree.walk()]:
                mode = content.tree.attributes(inode).mode
                if path not in self._nodes:
                    self._nodes[path] = _Node(number, inode, mode)
                    directory, _, name = path.rpartition(b"/")
                    self._names.setdefault(directory, []).append(name)

    def exists(self, path: str) -> bool:
        """See Files.exists."""
        return self._find(path) is not None

    def lexists(self, path: str) -> bool:
        """See Files.lexists."""
        return self._find(path, follow=False) is not None

    def isdir(self, path: str) -> bool:
        """See Files.isdir."""
        found = self._find(path)
        return found is not None and stat.S_ISDIR(found.mode)

    def isfile(self, path: str) -> bool:
        """See Files.isfile."""
        found = self._find(path)
        return found is not None and stat.S_ISREG(found.mode)

    def islink(self, path: str) -> bool:
        """See Files.islink."""
        found = self._find(path, follow=False)
        return found is not None and stat.S_ISLNK(found.mode)

    def readlink(self, path: str) -> str:
        """See Files.readlink."""
        found = self._find(path, follow=False)
        if found is None or not stat.S_ISLNK(found.mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        return os.fsdecode(self._target(found))

    def listdir(self, path: str) -> list[str]:
        """See Files.listdir."""
        real = self._walk(os.fsencode(path), follow=True)
        node = self._nodes.get(real) if real is not None else None
        if real is None or node is None or not stat.S_ISDIR(node.mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return [os.fsdecode(name) for name in self._names.get(real, ()) if name]

    def realpath(self, path: str) -> str:
        """See Files.realpath. A path that leads nowhere is only normalized."""
        real = self._walk(os.fsencode(path), follow=True)
        return os.path.normpath(path) if real is None else "/" + os.fsdecode(real)

    def read(self, path: str, limit: int = -1) -> bytes:
        """See Files.read. Also raises what reading an archive raises."""
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not stat.S_ISREG(found.mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        content = self._read(found)
        return content if limit < 0 else content[:limit]

    def scan(self, root: bytes, top: bytes, pruned: bytes) -> Iterator[Header]:
        """Yield the headers below *root*/*top*, which need not exist, but not below *pruned*.

        Symlinks to directories are not followed. The stamp of a header has its size in bytes, its
        inode and the number of its package. Raises KheadersfsError for a device, socket or fifo.
        """
        start = self._walk(root + b"/" + top, follow=True)
        pending = [(top, start)] if start is not None else []
        while pending:
            directory, real = pending.pop()
            for name in self._names.get(real, ()):
                path, place = directory + b"/" + name, real + b"/" + name
                node = self._nodes[place]
                if stat.S_ISDIR(node.mode):
                    if path != pruned:
                        pending.append((path, place))
                elif name.endswith(b".h"):
                    yield self._header(path, place, node)

    def _header(self, path: bytes, place: bytes, node: _Node) -> Header:
        target = self._target(node) if stat.S_ISLNK(node.mode) else None
        if target is None and not stat.S_ISREG(node.mode):
            raise KheadersfsError(
                f"/{os.fsdecode(place)}: is neither a file nor a symlink; give another package"
            )
        size = self._packages[node.package].content.tree.attributes(node.inode).size
        return Header(path, b"/" + place, target, (size, 0, 0, node.inode, node.package))

    def read_all(self, headers: Sequence[Header]) -> Iterator[tuple[Header, bytes]]:
        """Yield each of *headers* that is a file, and its content.

        They come in the order of their content in the packages, so that every block is decoded
        once. Raises what reading an archive raises.
        """
        files = [
            (self._nodes[header.source[1:]], header) for header in headers if not header.target
        ]
        for node, header in sorted(files, key=lambda file: self._place(file[0])):
            yield header, self._read(node)

    def _place(self, node: _Node) -> tuple[int, int]:
        return node.package, self._packages[node.package].content.tree.extent(node.inode)[0]

    def _read(self, node: _Node) -> bytes:
        content = self._packages[node.package].content
        return content.store.read(*content.tree.extent(node.inode))

    def _target(self, node: _Node) -> bytes:
        return self._packages[node.package].content.tree.target(node.inode)

    def _find(self, path: str, *, follow: bool = True) -> _Node | None:
        real = self._walk(os.fsencode(path), follow)
        return None if real is None else self._nodes.get(real)

    def _walk(self, path: bytes, follow: bool) -> bytes | None:
        """Return the path, without leading slash, that *path* leads to; None if it leads nowhere.

        A symlink in the last place is only followed if *follow* is true.
        """
        real: list[bytes] = []
        waiting = path.split(b"/")[::-1]
        links = 0
        while waiting:
            name = waiting.pop()
            if name == b"..":
                del real[-1:]
            if name in (b"", b".", b".."):
                continue
            node = self._nodes.get(b"/".join([*real, name]))
            if node is None:
                return None
            if stat.S_ISLNK(node.mode) and (follow or any(waiting)):
                links += 1
                target = self._target(node)
                if links > _MOST_LINKS:
                    return None
                if target.startswith(b"/"):
                    real.clear()
                waiting += target.split(b"/")[::-1]
            else:
                real.append(name)
        return b"/".join(real)
