"""Reads the members in a block of a packed archive from their newc headers.

What a packed archive has no use for is an error, and so is what readers understand differently.
"""

from __future__ import annotations

import stat

from kheadersfs.archive.cpio.fields import HEADER_SIZE, MAGIC, TRAILER
from kheadersfs.archive.digits import NANOSECONDS, parse_digits
from kheadersfs.archive.member import Member, content_at, plain_name, require_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = frozenset((stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK))


def walk(block: bytes, is_last: bool) -> Iterator[Member]:
    """See walking.walk_members."""
    offset = 0
    while offset < len(block):
        header = block[offset : offset + HEADER_SIZE]
        if header[:6] != MAGIC or len(header) < HEADER_SIZE:
            raise ValueError("there is no cpio header where a member should begin")
        mode, links, mtime, size, name_size = (
            parse_digits(header[start : start + 8], 16) for start in (14, 38, 46, 54, 94)
        )
        name, end, rest = content_at(block, offset + HEADER_SIZE, name_size).partition(b"\0")
        if rest or not end:
            raise ValueError("a name does not end where its header says")
        if name == TRAILER:
            return require_end(block, offset + HEADER_SIZE + name_size, is_last)
        start = offset + -(-(HEADER_SIZE + name_size) // 4) * 4
        kind = stat.S_IFMT(mode)
        if kind not in _KINDS or mode >> 16:
            raise ValueError("a member is neither file, directory nor link")
        content_size = size
        target = None
        if start + size > len(block):
            raise ValueError("a member reaches beyond its block")
        if kind == stat.S_IFLNK:
            target, content_size = block[start : start + size], 0
        elif kind == stat.S_IFDIR and size:
            raise ValueError("a member has a size where there is no content")
        yield Member(
            plain_name(name),
            mode,
            mtime * NANOSECONDS,
            content_size,
            target=target,
            links=links,
            start=start,
        )
        offset = start + -(-size // 4) * 4
