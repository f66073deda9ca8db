"""What a block's own headers say of the members in it.

An index is a shortcut past these headers; here is what it is held against. Blocks of a packed
archive begin with a header, so each can be walked by itself. What a packed archive has no use for
is an error, so that nothing here depends on how a reader takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.cpio import walking as cpio
from kheadersfs.archive.cpio.fields import MAGIC
from kheadersfs.archive.tar import walking as tar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.member import Member


def walk_members(block: bytes, is_last: bool = True) -> Iterator[Member]:
    """Yield what *block* has the headers of, in order; only the last has the end marker.

    Names are without ``./``, and so are the targets of hard links. Raises ValueError when the block
    does not consist of whole members of a packed archive.
    """
    return cpio.walk(block, is_last) if block.startswith(MAGIC) else tar.walk(block, is_last)
