"""Find the hot headers where no index names them: those that a few well-known headers include.

In /sys/kernel/kheaders.tar.xz of Linux 6.1 for x86, these are 773 files. All 696 files that a build
of the sample program opens are among them. To find them takes 16 ms besides decoding.
"""

from __future__ import annotations

import posixpath
import stat
from typing import TYPE_CHECKING

from kheadersfs.fuse.hot import Hot, HotFile, lead_to
from kheadersfs.kernel.including import ALWAYS_INCLUDED, inclusions, search_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kheadersfs.kernel.including import Inclusion
    from kheadersfs.tree import Tree

INCLUDED_BY_PROGRAMS = (b"include/linux/bpf.h", b"include/net/sock.h")
"""Headers that include, directly or through others, nearly all that eBPF programs include."""


def find_included(tree: Tree, read: Callable[[int, int], bytes], largest: int) -> Hot:
    """Return the headers of *tree* of up to *largest* bytes that a build is likely to read.

    *read* takes an offset in the stream and a size, in bytes, and returns that content. All files
    are returned as if they were in one block. Raises DamagedArchive, and what *read* raises.
    """
    files: dict[bytes, HotFile] = {}
    search = _Search(tree)
    pending = [*ALWAYS_INCLUDED, *INCLUDED_BY_PROGRAMS]
    while pending:
        path = pending.pop()
        inode = search.header_at(path) if path not in files else 0
        if inode:
            start, size = tree.extent(inode)
            if 0 < size <= largest:
                files[path] = HotFile(start, size, inode)
                pending += search.included(path, inclusions(read(start, size)))
    directories = {tree.resolve(posixpath.dirname(path)) for path in files}
    return lead_to(tree, directories, [sorted(set(files.values()))])


class _Search:
    """Finds headers in one tree, in the directories that a build of each architecture searches.

    It keeps what it has found, because the same names are included again and again.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._inodes: dict[bytes, int] = {}
        self._paths: dict[bytes, bytes | None] = {}
        architectures = tree.entries(tree.resolve(b"arch")) if tree.resolve(b"arch") else ()
        self._directories = [
            directory
            for _, name, _ in architectures
            for directory in search_path(name.decode(errors="surrogateescape"))
        ]

    def header_at(self, path: bytes) -> int:
        """Return the inode number of the regular file at *path*, 0 if there is none."""
        inode = self._inodes.get(path)
        if inode is None:
            inode = self._tree.resolve(path)
            if inode and not stat.S_ISREG(self._tree.attributes(inode).mode):
                inode = 0
            self._inodes[path] = inode
        return inode

    def included(self, path: bytes, found: list[Inclusion]) -> Iterator[bytes]:
        """Yield the paths of the headers in the tree that *found*, in the header at *path*, means.

        A name in quotes is searched beside that header first, as a compiler does.
        """
        for bracketed, quoted in found:
            beside = posixpath.normpath(posixpath.dirname(path) + b"/" + quoted)
            if quoted and self.header_at(beside):
                yield beside
                continue
            name = bracketed or quoted
            if name not in self._paths:
                self._paths[name] = self._first(name)
            there = self._paths[name]
            if there is not None:
                yield there

    def _first(self, name: bytes) -> bytes | None:
        """Return the path of the first *name* on the search path, None if there is none."""
        places = (posixpath.normpath(directory + b"/" + name) for directory in self._directories)
        return next((path for path in places if self.header_at(path)), None)
