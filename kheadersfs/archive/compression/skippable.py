"""Skippable frames: the same in zstd and in lz4, anywhere in a file, and not part of its content.

Sources: RFC 8878, 3.1.2, and "Skippable Frames" in "LZ4 Frame Format Description", version 1.6.4.
pzstd writes one before each frame of content.
"""

from __future__ import annotations

from kheadersfs.errors import damaged, without_members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits

HEADER_SIZE = 8
_MAGICS = range(0x184D2A50, 0x184D2A60)


def size_of(prefix: bytes) -> int:
    """Return the bytes of the skippable frame that begins with *prefix*, 0 if it is none."""
    if len(prefix) < HEADER_SIZE or int.from_bytes(prefix[:4], "little") not in _MAGICS:
        return 0
    return HEADER_SIZE + int.from_bytes(prefix[4:HEADER_SIZE], "little")


def first_content(source: Source, limits: Limits) -> int:
    """Return the offset of the first frame of *source* that is not skippable.

    Raises DamagedArchive when there is none, RefusedArchive when too many come before it.
    """
    offset = steps = 0
    while offset < source.size:
        prefix = source.read_at(offset, min(HEADER_SIZE, source.size - offset))
        size = size_of(prefix)
        if not size:
            return offset
        steps += 1
        limits.check(source.name, "blocks", steps)
        if offset + size > source.size:
            raise damaged(source.name, f"the skippable frame at offset {offset} is cut off")
        offset += size
    raise without_members(source.name)
