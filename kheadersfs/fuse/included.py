"""Find the hot headers where no index names them: those that a few well-known headers include.

In /sys/kernel/kheaders.tar.xz of Linux 6.1 for x86, these are 773 files. All 696 files that a build
of the sample program opens are among them. To find them takes 19 ms besides decoding.
"""

from __future__ import annotations

import stat

from kheadersfs.archive.names.page import ROOT
from kheadersfs.fuse.hot import Hot, HotFile, lead_to
from kheadersfs.kernel.including import ALWAYS_INCLUDED, inclusions
from kheadersfs.kernel.searching import search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kheadersfs.kernel.including import Inclusion
    from kheadersfs.tree import Tree

INCLUDED_BY_PROGRAMS = (b"include/linux/bpf.h", b"include/net/sock.h")
"""Headers that include, directly or through others, nearly all that eBPF programs include."""


def find_included(tree: Tree, read: Callable[[int, int], bytes], largest: int, srcarch: str) -> Hot:
    """Return the headers of *tree* of up to *largest* bytes that a build is likely to read.

    *read* takes an offset in the stream and a size, in bytes, and returns that content. *srcarch*
    is the kernel's, empty if unknown. All files are returned as if they were in one block. Raises
    DamagedArchive, and what *read* raises.
    """
    search = _Search(tree)
    files: dict[_Header, HotFile] = {}
    pending = [search.header(ROOT, path) for path in (*ALWAYS_INCLUDED, *INCLUDED_BY_PROGRAMS)]
    while pending:
        header = pending.pop()
        if header is None or header in files:
            continue
        directory, inode = header
        start, size = tree.extent(inode)
        if 0 < size <= largest:
            files[header] = HotFile(start, size, inode)
            pending += search.included(directory, inclusions(read(start, size)))
    directories = {directory for directory, _ in files}
    return lead_to(tree, directories, [sorted(set(files.values()))], srcarch)


_Header = tuple[int, int]
"""The inode numbers of the directory that a header was found in, and of the header."""


class _Search:
    """Finds headers in one tree, in the directories that a build of each architecture searches."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._found: dict[bytes, _Header | None] = {}
        """What was searched for, because the same names are included again and again."""
        architectures = tree.entries(tree.resolve(b"arch")) if tree.resolve(b"arch") else ()
        paths = [
            path
            for _, name, _ in architectures
            for path in search_path(name.decode(errors="surrogateescape"))
        ]
        self._directories = [inode for inode in map(tree.resolve, paths) if inode]

    def included(self, directory: int, found: list[Inclusion]) -> Iterator[_Header | None]:
        """Yield the headers in the tree that *found*, in a header in *directory*, means.

        A name in quotes is searched beside that header first, as a compiler does.
        """
        for bracketed, quoted in found:
            beside = self.header(directory, quoted) if quoted else None
            yield beside or self._first(bracketed or quoted)

    def header(self, directory: int, name: bytes) -> _Header | None:
        """Return the regular file at the path *name*, relative to *directory*, None if none is."""
        tree = self._tree
        *above, last = name.split(b"/")
        for component in above:
            if component == b"..":
                directory = tree.parent(directory)
            elif component not in (b"", b"."):
                directory = tree.lookup(directory, component)
                if not directory:
                    return None
        inode = tree.lookup(directory, last)
        is_header = inode and stat.S_ISREG(tree.attributes(inode).mode)
        return (directory, inode) if is_header else None

    def _first(self, name: bytes) -> _Header | None:
        """Return the first header *name* on the search path, None if there is none."""
        if name not in self._found:
            headers = (self.header(directory, name) for directory in self._directories)
            self._found[name] = next(filter(None, headers), None)
        return self._found[name]
