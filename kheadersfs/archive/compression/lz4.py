"""The framing of lz4 files: whether it is whole, and whether damage within it would show.

Source: "LZ4 Frame Format Description", version 1.6.4 (doc/lz4_Frame_format.md in the lz4
repository). The compressed data is libarchive's business, which takes whatever is no frame for the
end of the file.
"""

from __future__ import annotations

from kheadersfs.archive.compression import skippable
from kheadersfs.archive.compression.kind import LZ4_LEGACY_MAGIC, LZ4_MAGIC
from kheadersfs.errors import damaged
from kheadersfs.limits import DEFAULT_LIMITS, Limits
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.archive.source import Source

# Flags of a frame.
_BLOCK_CHECKSUMS, _CONTENT_SIZE, _CONTENT_CHECKSUM, _DICTIONARY = 0x10, 0x08, 0x04, 0x01
_VERSION = 1
_LEGACY_BLOCK_SIZE = 8 << 20
# Bytes that lz4 needs at most for such a block. A larger number where the size of a block should be
# is no size, and begins another frame.
_LEGACY_LARGEST = _LEGACY_BLOCK_SIZE + _LEGACY_BLOCK_SIZE // 255 + 16
_STORED_AS_IS = 1 << 31
_CHECKSUM_SIZE = 4


class _FrameHeader(Record):
    """``size`` is its own; no block takes more than ``largest_block`` bytes without checksum."""

    size: int
    largest_block: int
    block_checksums: bool
    content_checksum: bool


def all_checked(source: Source, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Return whether each frame of *source* has checksums of its content.

    Only the headers of frames and blocks are read, to the end of the file. Raises RefusedArchive
    when there are more of them than *limits* allow, DamagedArchive for anything incomplete, or
    that is no frame.
    """
    checked = True
    offset = steps = 0
    while offset < source.size:
        steps += 1
        limits.check(source.name, "blocks", steps)
        prefix = source.read_at(offset, min(8, source.size - offset))
        if skipped := skippable.size_of(prefix):
            end = offset + skipped
        elif prefix.startswith(LZ4_LEGACY_MAGIC):
            end, blocks = _end_of_legacy_blocks(source, offset, limits.blocks - steps)
            steps += blocks
            limits.check(source.name, "blocks", steps)
            checked = False
        else:
            header = _parse_header(source, offset)
            end, blocks = _end_of_blocks(source, offset, header, limits.blocks - steps)
            end += _CHECKSUM_SIZE * header.content_checksum
            steps += blocks
            limits.check(source.name, "blocks", steps)
            checked = checked and (header.block_checksums or header.content_checksum)
        if end > source.size:
            raise damaged(source.name, f"the lz4 frame at offset {offset} is cut off")
        offset = end
    return checked


def _parse_header(source: Source, offset: int) -> _FrameHeader:
    """Return what the frame header at *offset* says. Its checksum is left to libarchive."""
    raw = source.read_at(offset, min(6, source.size - offset))
    if len(raw) < 6 or not raw.startswith(LZ4_MAGIC):
        raise damaged(source.name, f"there is no lz4 frame at offset {offset}")
    flags, block_kind = raw[4], raw[5] >> 4
    if flags >> 6 != _VERSION or not 4 <= block_kind <= 7:
        raise damaged(source.name, f"the lz4 frame header at offset {offset} is invalid")
    return _FrameHeader(
        size=7 + 8 * bool(flags & _CONTENT_SIZE) + 4 * bool(flags & _DICTIONARY),
        largest_block=1 << (8 + 2 * block_kind),
        block_checksums=bool(flags & _BLOCK_CHECKSUMS),
        content_checksum=bool(flags & _CONTENT_CHECKSUM),
    )


def _end_of_blocks(source: Source, start: int, header: _FrameHeader, most: int) -> tuple[int, int]:
    """Return the offset behind the end mark of the frame at *start*.

    With it comes the number of blocks; after *most* of them it gives up.
    """
    offset = start + header.size
    count = 0
    while True:
        if offset + 4 > source.size:
            raise damaged(source.name, f"the lz4 frame at offset {start} is cut off")
        word = int.from_bytes(source.read_at(offset, 4), "little")
        offset += 4
        if word == 0 or count > most:
            return offset, count
        count += 1
        size = word & ~_STORED_AS_IS
        if size > header.largest_block:
            raise damaged(source.name, f"the lz4 block at offset {offset - 4} is invalid")
        offset += size + _CHECKSUM_SIZE * header.block_checksums


def _end_of_legacy_blocks(source: Source, start: int, most: int) -> tuple[int, int]:
    """Return the offset behind the last block of the legacy frame at *start*.

    Such a frame has no end mark: the file ends, or a word that is no size of a block begins another
    frame. With the offset comes the number of blocks; after *most* of them it gives up.
    """
    offset = start + len(LZ4_LEGACY_MAGIC)
    count = 0
    while offset < source.size and count <= most:
        word = source.read_at(offset, min(4, source.size - offset))
        size = int.from_bytes(word, "little")
        if size > _LEGACY_LARGEST:
            break
        if len(word) < 4 or offset + 4 + size > source.size:
            raise damaged(source.name, f"the lz4 frame at offset {start} is cut off")
        if size == 0:
            raise damaged(source.name, f"the lz4 block at offset {offset} is invalid")
        offset += 4 + size
        count += 1
    if not count:  # libarchive would take it for the end of the file
        raise damaged(source.name, f"the lz4 frame at offset {start} has no blocks")
    return offset, count
