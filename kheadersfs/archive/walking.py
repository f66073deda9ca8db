"""Reads the members in a block of a packed archive from their headers.

The index says where members are without these headers, and is checked against them here. Each block
begins with a header, so it can be read alone. What a packed archive has no use for is an error, so
that nothing depends on how a reader would understand it.
"""

from __future__ import annotations

from kheadersfs.archive.cpio import walking as cpio
from kheadersfs.archive.cpio.fields import MAGIC
from kheadersfs.archive.tar import walking as tar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kheadersfs.archive.member import Member


def walk_members(
    block: bytes, is_last: bool = True, known: Callable[[int], int] | None = None
) -> Iterator[Member]:
    """Yield the members in *block*, which is decompressed, in order.

    *known* is asked about members of tar whose header is one block. It is given the offset of the
    content and returns that of the next header, or 0. With 0 the member is read and yielded.

    Names and targets of hard links are without ``./``. Only the last block may have an end marker.
    Raises ValueError when the block does not consist of whole members of a packed archive.
    """
    return cpio.walk(block, is_last) if block.startswith(MAGIC) else tar.walk(block, is_last, known)
