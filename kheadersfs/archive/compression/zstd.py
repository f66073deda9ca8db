"""The framing of zstd files: find the frames, and what their headers say.

Sources: RFC 8878 (frames, blocks, skippable frames) and "Zstandard Seekable Format", version
0.1.0 (contrib/seekable_format in the zstd repository). The compressed
data itself is libzstd's business.
"""

from __future__ import annotations

from kheadersfs.archive.compression import skippable
from kheadersfs.archive.compression.kind import ZSTD_MAGIC
from kheadersfs.archive.source import BytesSource, Source
from kheadersfs.errors import (
    DamagedArchive,
    UnsupportedArchive,
    damaged,
    quoted,
)
from kheadersfs.limits import DEFAULT_LIMITS, Limits
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SEEK_TABLE_FRAME = (0x184D2A5E).to_bytes(4, "little")
SEEK_TABLE_MAGIC = (0x8F92EAB1).to_bytes(4, "little")
_SEEK_TABLE_FOOTER_SIZE = 9
_FRAME_HEADER_LIMIT = 18
# Content is never larger than this in one block (RFC 8878, 3.1.1.2.4).
BLOCK_SIZE_LIMIT = 128 << 10
RAW = 0
_LAST_AND_EMPTY = b"\x01\0\0"
"""The header of a raw block that is the last one of its frame and has nothing in it."""
CHECKSUM_SIZE = 4
WINDOW_LIMIT = 128 << 20
"""Bytes that libzstd keeps at most of what it has decoded, unless it is told to keep more."""
UNKNOWN = -1


class ZstdFrame(Record):
    """One frame: where it lies in the file, in bytes, and what it decodes to.

    ``decoded_size`` is UNKNOWN when the frame does not state it.
    """

    offset: int
    stored_size: int
    decoded_size: int


def read_frames(source: Source, limits: Limits = DEFAULT_LIMITS) -> list[ZstdFrame]:
    """Return the frames of *source* that hold content, in file order.

    With a seek table at the end nothing but that table is read, and of what is not far away the
    frames' headers; without one, every block header is. Raises RefusedArchive when there are more
    frames than *limits* allow, DamagedArchive for anything incomplete or inconsistent.
    """
    frames = _read_seek_table(source, limits)
    if not frames:
        source.keep_all()
        frames = _walk_frames(source, limits)
    return frames


def all_checked(source: Source, frames: Iterable[ZstdFrame]) -> bool:
    """Tell whether each of *frames* ends with a checksum of its content.

    Nothing but its own header says that. Raises DamagedArchive.
    """
    return all(_parse_header(source, frame.offset).checked for frame in frames)


def _read_seek_table(source: Source, limits: Limits) -> list[ZstdFrame]:
    """Return the frames that the seek table lists; none when there is no such table."""
    if source.size < 8 + _SEEK_TABLE_FOOTER_SIZE:
        return []
    footer = source.read_at(source.size - _SEEK_TABLE_FOOTER_SIZE, _SEEK_TABLE_FOOTER_SIZE)
    if footer[5:] != SEEK_TABLE_MAGIC:
        return []
    count = int.from_bytes(footer[:4], "little")
    entry_size = 12 if footer[4] & 0x80 else 8
    table_size = count * entry_size + _SEEK_TABLE_FOOTER_SIZE
    table_start = source.size - table_size - 8
    if table_start < 0 or footer[4] & 0x7C:
        raise damaged(source.name, "the zstd seek table does not fit the file")
    limits.check(source.name, "blocks", count)
    header = source.read_at(table_start, 8)
    if header[:4] != SEEK_TABLE_FRAME or int.from_bytes(header[4:], "little") != table_size:
        raise damaged(source.name, "the zstd seek table is not where its footer says")
    entries = source.read_at(table_start + 8, count * entry_size)
    if _stored_total(entries, entry_size) < table_start:
        return []  # something was put before, as "cat" does: the table is not of the whole file
    frames: list[ZstdFrame] = []
    offset = 0
    for position in range(0, len(entries), entry_size):
        stored_size = int.from_bytes(entries[position : position + 4], "little")
        decoded_size = int.from_bytes(entries[position + 4 : position + 8], "little")
        if decoded_size:
            if not source.is_far:  # each would take a request, and decoding finds what is wrong
                _parse_header(source, offset)
            frames.append(ZstdFrame(offset, stored_size, decoded_size))
        elif not _is_empty(source, offset, stored_size):
            raise damaged(source.name, f"the zstd seek table lists no content at offset {offset}")
        offset += stored_size
    if offset != table_start:
        raise damaged(source.name, "the zstd seek table does not cover the file")
    return frames


def _stored_total(entries: bytes, entry_size: int) -> int:
    """Return the bytes of all frames that are listed in *entries* of a seek table."""
    starts = range(0, len(entries), entry_size)
    return sum(int.from_bytes(entries[start : start + 4], "little") for start in starts)


def _is_empty(source: Source, offset: int, size: int) -> bool:
    """Tell whether the *size* bytes at *offset* are one frame that decodes to nothing.

    That is one which decoders skip, or whose only block is empty.
    """
    if size < 8 or offset + size > source.size:
        return False
    if skipped := skippable.size_of(source.read_at(offset, skippable.HEADER_SIZE)):
        return size == skipped
    header = _parse_header(source, offset)
    block = source.read_at(offset + header.size, 3)
    return block == _LAST_AND_EMPTY and size == header.size + 3 + CHECKSUM_SIZE * header.checked


class _FrameHeader(Record):
    size: int
    decoded_size: int
    checked: bool


def _parse_header(source: Source, offset: int) -> _FrameHeader:
    """Return what the frame header at *offset* says (RFC 8878, 3.1.1.1).

    Raises DamagedArchive, UnsupportedArchive for a window of more than WINDOW_LIMIT.
    """
    raw = source.read_at(offset, min(_FRAME_HEADER_LIMIT, source.size - offset))
    if raw[:4] != ZSTD_MAGIC or len(raw) < 6:
        raise damaged(source.name, f"there is no zstd frame at offset {offset}")
    descriptor = raw[4]
    single_segment = bool(descriptor & 0x20)
    if descriptor & 0x08:
        raise damaged(source.name, f"the zstd frame at offset {offset} sets a reserved bit")
    size_flag = descriptor >> 6
    size_length = (1 if single_segment else 0, 2, 4, 8)[size_flag]
    position = 5 + (not single_segment) + (0, 1, 2, 4)[descriptor & 3]
    end = position + size_length
    if len(raw) < end:
        raise damaged(source.name, f"the zstd frame header at offset {offset} is cut off")
    if not single_segment:
        _check_window(source, raw[5])
    decoded_size = int.from_bytes(raw[position:end], "little") if size_length else UNKNOWN
    if size_flag == 1:
        decoded_size += 256
    return _FrameHeader(end, decoded_size, bool(descriptor & 0x04))


def _check_window(source: Source, descriptor: int) -> None:
    """Raise UnsupportedArchive when *descriptor* says a window too large (RFC 8878, 3.1.1.1.2)."""
    base = 1 << (10 + (descriptor >> 3))
    if base + base // 8 * (descriptor & 7) > WINDOW_LIMIT:
        raise UnsupportedArchive(
            f"{source.name}: was compressed with --long, so that reading it takes more than "
            f"{WINDOW_LIMIT} bytes of memory; convert it: "
            f"zstd -dc --long=31 <{quoted(source.name)} | zstd >NEW.zst"
        )


def _walk_frames(source: Source, limits: Limits) -> list[ZstdFrame]:
    """Return the content frames, found by stepping from one header to the next."""
    frames: list[ZstdFrame] = []
    offset = steps = 0
    while offset < source.size:
        steps += 1
        limits.check(source.name, "blocks", steps)
        prefix = source.read_at(offset, min(8, source.size - offset))
        if len(prefix) < 8:
            raise damaged(source.name, f"there are stray bytes at offset {offset}")
        if skipped := skippable.size_of(prefix):
            end = offset + skipped
        else:
            header = _parse_header(source, offset)
            end, blocks = _end_of_blocks(source, offset + header.size, limits.blocks - steps)
            end += 4 * header.checked
            steps += blocks
            limits.check(source.name, "blocks", steps)
            frames.append(ZstdFrame(offset, end - offset, header.decoded_size))
        if end > source.size:
            raise damaged(source.name, f"the zstd frame at offset {offset} is cut off")
        offset = end
    return frames


def _end_of_blocks(source: Source, offset: int, most: int) -> tuple[int, int]:
    """Return the offset behind the last block of a frame whose first is at *offset*.

    With it comes the number of blocks; after *most* of them it gives up.
    """
    count = 0
    while True:
        count += 1
        if offset + 3 > source.size:
            raise damaged(source.name, "the last zstd frame is cut off")
        header = int.from_bytes(source.read_at(offset, 3), "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == 3 or size > BLOCK_SIZE_LIMIT:
            raise damaged(source.name, f"the zstd block at offset {offset} is invalid")
        offset += 3 + (1 if kind == 1 else size)
        if last or count > most:
            return offset, count


def plain_content(stored: bytes, decoded_size: int) -> bytes | None:
    """Return the content of the frame in *stored* if nothing in it is compressed, else None.

    Its checksum is not looked at.
    """
    source = BytesSource(stored)
    pieces: list[bytes] = []
    last = 0
    try:
        position = _parse_header(source, 0).size
        while not last:
            header = int.from_bytes(source.read_at(position, 3), "little")
            last, kind, size = header & 1, header >> 1 & 3, header >> 3
            if kind != RAW:
                return None
            pieces.append(source.read_at(position + 3, size))
            position += 3 + size
    except DamagedArchive:
        return None
    content = b"".join(pieces)
    return content if len(content) == decoded_size else None
