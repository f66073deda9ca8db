"""The framing of .xz files: find the blocks, and write what is around them.

Source: "The .xz File Format", version 1.2.1 (tukaani.org/xz/xz-file-format.txt).
"""

from __future__ import annotations

import zlib

from kheadersfs.archive.compression.kind import XZ_MAGIC
from kheadersfs.archive.source import Source
from kheadersfs.errors import UnsupportedArchive, damaged
from kheadersfs.limits import DEFAULT_LIMITS, Limits
from kheadersfs.records import Record

FOOTER_MAGIC = b"YZ"
HEADER_SIZE = 12
FOOTER_SIZE = 12
CHECK_CRC64 = 4
"""The check of all streams that are written here."""
CHECK_NAMES = {0: "none", 1: "CRC32", 4: "CRC64", 10: "SHA-256"}
# The index lists some bytes per block; one that claims more than this is not believed.
INDEX_SIZE_LIMIT = 64 << 20
PADDING_LIMIT = 64 << 20
"""Zero bytes that may follow streams. In a sparse file any number of them takes no room."""
STREAMS_LIMIT = 10_000
"""Streams in one file; each costs some reads to find, and nobody has reason for many."""
_PADDING_PIECE = 64 << 10
_VLI_BYTES = 9
_FILTER_LZMA2 = 0x21
_LARGEST_PLAIN_CONTROL = 2


class XzBlock(Record):
    """One block: where it lies in the file, in bytes, and what it decodes to.

    ``unpadded_size`` is the size of block header, data and check, without the padding to four
    bytes (section 4.3 of the format); ``check`` is the stream's check id (section 2.1.1.2).
    """

    offset: int
    unpadded_size: int
    decoded_size: int
    check: int

    @property
    def stored_size(self) -> int:
        """Bytes that the block takes in the file, padding included."""
        return -(-self.unpadded_size // 4) * 4


def encode_vli(value: int) -> bytes:
    """Return *value* (0 to 2**63 - 1) as a variable-length integer (section 1.2)."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode_vli(data: bytes, offset: int) -> tuple[int, int]:
    """Return the variable-length integer at *offset* of *data* and the offset behind it.

    Raises ValueError when there is none.
    """
    value = 0
    for position in range(_VLI_BYTES):
        if offset >= len(data):
            raise ValueError("a variable-length integer is cut off")
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            if byte == 0 and position > 0:
                raise ValueError("a variable-length integer has a superfluous byte")
            return value, offset
    raise ValueError("a variable-length integer is too long")


def stream_header(check: int) -> bytes:
    """Return what precedes the blocks of a stream with *check* (section 2.1.1)."""
    flags = bytes((0, check))
    return XZ_MAGIC + flags + zlib.crc32(flags).to_bytes(4, "little")


def stream_footer(index_size: int, check: int) -> bytes:
    """Return what ends a stream (section 2.1.2)."""
    body = (index_size // 4 - 1).to_bytes(4, "little") + bytes((0, check))
    return zlib.crc32(body).to_bytes(4, "little") + body + FOOTER_MAGIC


def stated_index_size(footer: bytes) -> int:
    """Return the size in bytes of the index in front of *footer* (section 2.1.2.2)."""
    return (int.from_bytes(footer[4:8], "little") + 1) * 4


def encode_index(records: list[tuple[int, int]]) -> bytes:
    """Return the index of a stream whose blocks have *records*: unpadded and decoded size."""
    body = bytearray(b"\x00")
    body += encode_vli(len(records))
    for unpadded_size, decoded_size in records:
        body += encode_vli(unpadded_size)
        body += encode_vli(decoded_size)
    body += bytes(-len(body) % 4)
    body += zlib.crc32(body).to_bytes(4, "little")
    return bytes(body)


def _count_records(body: bytes) -> tuple[int, int]:
    """Return how many records an index has, and where they begin. Raises ValueError.

    *body* is all of it but the checksum.
    """
    if not body.startswith(b"\0"):
        raise ValueError("there is no xz index where the footer says")
    count, position = decode_vli(body, 1)
    # Two integers of at least one byte each: a larger count is a lie.
    if count * 2 > len(body):
        raise ValueError(f"the xz index claims {count} blocks in {len(body)} bytes")
    return count, position


def decode_index(index: bytes) -> list[tuple[int, int]]:
    """Return (unpadded size, decoded size) per block. Raises ValueError."""
    body, checksum = index[:-4], index[-4:]
    if zlib.crc32(body).to_bytes(4, "little") != checksum:
        raise ValueError("the xz index does not match its checksum")
    count, position = _count_records(body)
    records: list[tuple[int, int]] = []
    for _ in range(count):
        unpadded_size, position = decode_vli(body, position)
        decoded_size, position = decode_vli(body, position)
        if unpadded_size < 5:
            raise ValueError("the xz index has a block without room for a header")
        records.append((unpadded_size, decoded_size))
    padding = body[position:]
    if len(padding) > 3 or padding.strip(b"\0"):
        raise ValueError("the xz index has stray bytes behind its records")
    return records


def read_blocks(source: Source, limits: Limits = DEFAULT_LIMITS) -> list[XzBlock]:
    """Return the blocks of all streams of *source*, in file order.

    Only stream headers, footers and indexes are read. Raises UnsupportedArchive for a check
    unknown to the format's version 1.0, RefusedArchive when there are more than *limits* allow,
    DamagedArchive for anything incomplete or inconsistent.
    """
    streams: list[list[XzBlock]] = []
    count = 0
    end = source.size
    padding = 0
    while end > 0:
        if len(streams) == STREAMS_LIMIT:
            raise UnsupportedArchive(
                f"{source.name}: has more than {STREAMS_LIMIT} xz streams; compress it anew"
            )
        without = _skip_stream_padding(source, end, PADDING_LIMIT - padding)
        padding += end - without
        blocks, end = _read_last_stream(source, without, limits)
        streams.append(blocks)
        count += len(blocks)
        limits.check(source.name, "blocks", count)
    return [block for blocks in reversed(streams) for block in blocks]


def plain_content(stored: bytes, block: XzBlock) -> bytes | None:
    """Return the content of *block* if nothing in its *stored* bytes is compressed, else None.

    LZMA2 (section 5.3.1, and lzma2_decoder.c of xz) is a sequence of chunks: a control byte, which
    is 1 or 2 when bytes follow as they are, their number less one as a big-endian 16-bit integer,
    and they; a zero ends it. The check is not looked at.
    """
    pieces: list[bytes] = []
    try:
        position = (stored[0] + 1) * 4
        if not _has_only_lzma2(stored[:position]):
            return None
        while control := stored[position]:
            if control > _LARGEST_PLAIN_CONTROL:
                return None
            start = position + 3
            position = start + int.from_bytes(stored[position + 1 : start], "big") + 1
            pieces.append(stored[start:position])
    except (IndexError, ValueError):
        return None
    content = b"".join(pieces)
    return content if len(content) == block.decoded_size else None


def _has_only_lzma2(header: bytes) -> bool:
    """Tell whether the block with *header* has LZMA2 for its one filter (section 3.1)."""
    flags, position = header[1], 2
    for size_is_present in (0x40, 0x80):
        if flags & size_is_present:
            _, position = decode_vli(header, position)
    return flags & 0x03 == 0 and decode_vli(header, position)[0] == _FILTER_LZMA2


def _skip_stream_padding(source: Source, end: int, allowed: int) -> int:
    """Return *end* without the zero words that may follow a stream (section 2.2).

    Raises UnsupportedArchive when there are more than *allowed* bytes of them.
    """
    limit = max(0, end - allowed)
    while end >= limit and end:
        start = max(0, end - _PADDING_PIECE)
        piece = source.read_at(start, end - start)
        padding = (len(piece) - len(piece.rstrip(b"\0"))) // 4 * 4
        end -= padding
        if padding < len(piece):
            break
    if end < limit:
        raise UnsupportedArchive(
            f"{source.name}: has more than {PADDING_LIMIT} zero bytes behind xz streams; "
            "fetch it again"
        )
    return end


def _read_last_stream(source: Source, end: int, limits: Limits) -> tuple[list[XzBlock], int]:
    """Return the blocks of the stream that ends at *end*, and where it starts."""
    if end < HEADER_SIZE + FOOTER_SIZE:
        raise damaged(source.name, "the xz stream is too short")
    footer = source.read_at(end - FOOTER_SIZE, FOOTER_SIZE)
    if footer[10:] != FOOTER_MAGIC:
        raise damaged(source.name, "the xz file has no footer")
    if zlib.crc32(footer[4:10]).to_bytes(4, "little") != footer[:4]:
        raise damaged(source.name, "the xz footer does not match its checksum")
    check = footer[9]
    if footer[8] != 0 or check not in CHECK_NAMES:
        raise UnsupportedArchive(f"{source.name}: uses an unknown kind of xz check ({check})")
    index_size = stated_index_size(footer)
    index_start = end - FOOTER_SIZE - index_size
    if index_start < HEADER_SIZE or index_size > INDEX_SIZE_LIMIT:
        raise damaged(source.name, "the xz footer points outside the file")
    try:
        index = source.read_at(index_start, index_size)
        limits.check(source.name, "blocks", _count_records(index[:-4])[0])
        records = decode_index(index)
    except ValueError as error:
        raise damaged(source.name, str(error)) from error
    stored = sum(-(-unpadded_size // 4) * 4 for unpadded_size, _ in records)
    start = index_start - stored - HEADER_SIZE
    if start < 0 or source.read_at(start, HEADER_SIZE) != stream_header(check):
        raise damaged(source.name, "the xz index does not fit the file")
    blocks: list[XzBlock] = []
    offset = start + HEADER_SIZE
    for unpadded_size, decoded_size in records:
        block = XzBlock(offset, unpadded_size, decoded_size, check)
        blocks.append(block)
        offset += block.stored_size
    return blocks, start


def stream_start() -> bytes:
    """Return what precedes the first block of a stream with CRC64 checks."""
    return stream_header(CHECK_CRC64)


def stream_end(records: list[tuple[int, int]]) -> bytes:
    """Return what follows the last block: index and footer. *records* are (unpadded size,
    decoded size) of every block.
    """
    index = encode_index(records)
    return index + stream_footer(len(index), CHECK_CRC64)
