"""What several packages have in them, as one file system below /, links between them included."""

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
"""As many as the kernel follows."""


class _Node(NamedTuple):
    """What is at a path: the number of the package that has it, and its inode and mode there."""

    package: int
    inode: int
    mode: int


class PackageFiles(Files):
    """The files of *packages*, which are read to find out; directories of several are one.

    Paths are absolute. Of two files of one path the first package's counts. Raises what reading an
    archive raises, RefusedArchive for a package with members that cannot be in it.
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
        """See Files.realpath. What leads nowhere stays as it is."""
        real = self._walk(os.fsencode(path), follow=True)
        return os.path.normpath(path) if real is None else "/" + os.fsdecode(real)

    def read(self, path: str, limit: int = -1) -> bytes:
        """See Files.read. Raises what reading an archive raises, too."""
        found = self._find(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not stat.S_ISREG(found.mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        content = self._read(found)
        return content if limit < 0 else content[:limit]

    def scan(self, root: bytes, top: bytes, pruned: bytes) -> Iterator[Header]:
        """Yield the headers below *root*/*top*, which need not exist, but not below *pruned*.

        Symlinked directories are not entered. The stamp of each has the size, the inode, and the
        number of the package.
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
            raise KheadersfsError(f"/{os.fsdecode(place)}: is neither a file nor a symlink")
        size = self._packages[node.package].content.tree.attributes(node.inode).size
        return Header(path, b"/" + place, target, (size, 0, 0, node.inode, node.package))

    def read_all(self, headers: Sequence[Header]) -> Iterator[tuple[Header, bytes]]:
        """Yield those of *headers* that are files with their content, as it lies in the packages.

        So every block is decoded once. Raises what reading an archive raises.
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
        """Return the path below / that *path* leads to, None if that is nowhere.

        A link in the last place is only followed if that is wanted.
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
