"""Decide in which sequence members go into an archive, and where it is cut into blocks.

A build opens some 700 headers of the most-reached 4.5 MB, and hardly any beyond the most-reached
8 MiB. So these come first, in small blocks that decode in a few milliseconds each; the first ones
are smaller still, because a build waits for them before others can be decoded beside it. What lies
deeper is the less likely to be read, and lies in larger blocks, which compress better. The rest is
sorted by name, because neighbours are alike.
"""

from __future__ import annotations

import stat
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kheadersfs.archive.member import Member

_KIB, _MIB = 1 << 10, 1 << 20
HOT_SIZE = 9 * _MIB // 2
"""Bytes of the most-reached headers that most builds read."""
WARM_SIZE = 8 * _MIB
"""Bytes of them beyond which a build reads only what it names itself."""
_FIRST_BLOCK, _HOT_BLOCK, _WARM_BLOCK, _COLD_BLOCK = 128 * _KIB, 512 * _KIB, _MIB, 8 * _MIB
# Bytes that a header and padding add to a member of a tar, about.
_FRAME_SIZE = 768


class Packed(NamedTuple):
    """A member to write and how to get its content, which is asked for once, by any thread."""

    member: Member
    read: Callable[[], bytes]


class KernelMembers(NamedTuple):
    """What one kernel brings to an archive.

    ``files`` come most important first, of which ``hot`` many are what most builds read, or
    HOT_SIZE bytes when it is None. ``links`` are hard links, to these or another kernel's files.
    """

    directories: list[Packed]
    files: list[Packed]
    others: list[Packed]
    links: list[Packed]
    hot: int | None = None


class Portion(NamedTuple):
    """Members that follow each other, in blocks of their own.

    A block has at most a quarter of the bytes that come before it in the portion, but may always
    have *smallest_block*, and has no more than *largest_block*. At the beginning even that is too
    much: the first block has at most *first_block* bytes, and each of the next at most as many as
    all before it together.
    """

    members: list[Packed]
    smallest_block: int
    first_block: int = _COLD_BLOCK
    largest_block: int = _COLD_BLOCK

    def block_size(self, position: int) -> int:
        """Return the limit in bytes for a block that begins at *position* of this portion."""
        size = min(max(self.smallest_block, position // 4), self.largest_block)
        return min(size, max(self.first_block, position))


def arrange(kernels: Sequence[KernelMembers]) -> list[Portion]:
    """Return all members of *kernels* in portions; the first one is hot.

    Directories come before what is in them, and hard links after what they link to.
    """
    portions: list[Portion] = []
    cold: list[Packed] = []
    for kernel in kernels:
        hot, warm = _split(kernel)
        portions += portions_of_heat(kernel.files[:hot], kernel.files[hot:warm], [])[:2]
        cold += (*kernel.files[warm:], *kernel.others, *kernel.directories)
    cold.sort(key=lambda packed: packed.member.name)
    links = [link for kernel in kernels for link in kernel.links]
    portions += (Portion(cold, _COLD_BLOCK), Portion(links, _COLD_BLOCK))
    directories = {
        packed.member.name: packed for kernel in kernels for packed in kernel.directories
    }
    return [
        portion._replace(members=list(_with_parents(portion.members, directories)))
        for portion in portions
    ]


def portions_of_heat(
    hot: list[Packed], warm: list[Packed], cold: list[Packed], largest: int = _COLD_BLOCK
) -> list[Portion]:
    """Return a portion of each, with blocks of the sizes that suit it, and none above *largest*."""
    return [
        Portion(hot, _HOT_BLOCK, _FIRST_BLOCK, largest),
        Portion(warm, _WARM_BLOCK, largest_block=largest),
        Portion(cold, largest, largest_block=largest),
    ]


def _split(kernel: KernelMembers) -> tuple[int, int]:
    """Return how many of *kernel*'s files are hot, and how many are hot or warm."""
    sizes = [packed.member.size for packed in kernel.files]
    hot = count_of(sizes, HOT_SIZE) if kernel.hot is None else kernel.hot
    return hot, max(hot, count_of(sizes, WARM_SIZE))


def count_of(sizes: Iterable[int], limit: int) -> int:
    """Return how many files of *sizes* begin within the first *limit* bytes of a tar of them."""
    starts = list(accumulate((size + _FRAME_SIZE for size in sizes), initial=0))[:-1]
    return bisect_left(starts, limit)


def _with_parents(members: Iterable[Packed], directories: dict[bytes, Packed]) -> Iterator[Packed]:
    """Yield *members*, before each those of its parents that *directories* still has.

    What is yielded is taken out of *directories*; a directory that is not there is passed over.
    """
    for packed in members:
        name = packed.member.name
        missing: list[Packed] = []
        parent = name
        while parent:
            parent = parent.rpartition(b"/")[0]
            if parent not in directories:
                break
            missing.append(directories.pop(parent))
        yield from reversed(missing)
        if not stat.S_ISDIR(packed.member.mode) or directories.pop(name, None) is not None:
            yield packed
