"""Find the names that a compiler looks for in vain before it finds the hot headers.

It searches several directories, one after the other. A header of the last one was looked for in all
others before. The kernel caches that a name does not exist too, but has to be told of each.
"""

from __future__ import annotations

from kheadersfs.kernel.searching import search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kheadersfs.tree import Tree


def find_absent(tree: Tree, headers: Mapping[int, Iterable[bytes]], srcarch: str) -> list[bytes]:
    """Return the paths at which a compiler looks for *headers* in vain, each once.

    *headers* has the names of some, by the inode number of their directory. *srcarch* is the
    kernel's; without one it is not known what is searched. Whatever lies above a path that is
    returned is a directory, and no symlink. Raises DamagedArchive.
    """
    if not srcarch:
        return []
    searched = search_path(srcarch)
    absent: dict[bytes, None] = {}
    for directory, names in headers.items():
        before, below = _searched_before(tree.path(directory), searched)
        for start in before:
            absent.update(dict.fromkeys(_missing(tree, start, below, names)))
    return list(absent)


def _searched_before(path: bytes, searched: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the directories that are searched before the one that *path* is in, or is itself.

    Returns also the names of the directories on the way from that one to *path*.
    """
    around = [start for start in searched if (path + b"/").startswith(start + b"/")]
    if not around:
        return [], []
    closest = max(around, key=len)
    below = path[len(closest) + 1 :]
    return searched[: searched.index(closest)], below.split(b"/") if below else []


def _missing(
    tree: Tree, start: bytes, below: list[bytes], names: Iterable[bytes]
) -> Iterator[bytes]:
    """Yield what is missing for *names* to be in the directory *below* that of the path *start*.

    Yields nothing if *start* itself is missing, because a compiler does not search it then.
    """
    directory = tree.resolve(start)
    path = start
    for name in below:
        if not directory or not tree.is_directory(directory):
            return
        path += b"/" + name
        directory = tree.lookup(directory, name)
        if not directory:
            yield path
            return
    if directory and tree.is_directory(directory):
        yield from (path + b"/" + name for name in names if not tree.lookup(directory, name))
