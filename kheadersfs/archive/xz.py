"""The framing of .xz files: find the blocks, decode one, and write a stream of several.

Source: "The .xz File Format", version 1.2.1 (tukaani.org/xz/xz-file-format.txt). The
compressed data itself is liblzma's business, by way of the standard library.

The standard library cannot decode one block out of many, but it decodes a whole stream. So a
block is wrapped as a stream of its own: stream header, the block, an index with that one record,
stream footer. liblzma then checks the block's sizes and its check as it always does.
"""

from __future__ import annotations

import lzma
import zlib
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.source import Source
from kheadersfs.errors import DamagedArchive, KheadersfsError, UnsupportedArchive
from kheadersfs.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = b"\xfd7zXZ\x00"
FOOTER_MAGIC = b"YZ"
HEADER_SIZE = 12
FOOTER_SIZE = 12
CHECK_NAMES = {0: "none", 1: "CRC32", 4: "CRC64", 10: "SHA-256"}
# The index lists some bytes per block; one that claims more than this is not believed.
INDEX_SIZE_LIMIT = 64 << 20
PADDING_LIMIT = 64 << 20
"""Zero bytes behind a stream. A sparse file has any number for nothing."""
STREAMS_LIMIT = 10_000
"""Streams in one file; each costs some reads to find, and nobody has reason for many."""
_PADDING_PIECE = 64 << 10
_VLI_BYTES = 9
DECODER_MEMORY = 100 << 20
"""Bytes that decoding may take; what xz -9 makes needs 65 MiB."""
SMALLEST_DICTIONARY = 64 << 10
LARGEST_DICTIONARY = 8 << 20


class XzBlock(NamedTuple):
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


def _stream_header(check: int) -> bytes:
    flags = bytes((0, check))
    return MAGIC + flags + zlib.crc32(flags).to_bytes(4, "little")


def _stream_footer(index_size: int, check: int) -> bytes:
    body = (index_size // 4 - 1).to_bytes(4, "little") + bytes((0, check))
    return zlib.crc32(body).to_bytes(4, "little") + body + FOOTER_MAGIC


def _encode_index(records: list[tuple[int, int]]) -> bytes:
    body = bytearray(b"\x00")
    body += encode_vli(len(records))
    for unpadded_size, decoded_size in records:
        body += encode_vli(unpadded_size)
        body += encode_vli(decoded_size)
    body += bytes(-len(body) % 4)
    body += zlib.crc32(body).to_bytes(4, "little")
    return bytes(body)


def _count_records(index: bytes) -> tuple[int, int]:
    """Return how many records *index* has, and where they begin. Raises ValueError."""
    if index[0] != 0:
        raise ValueError("there is no xz index where the footer says")
    count, position = decode_vli(index, 1)
    # Two integers of at least one byte each: a larger count is a lie.
    if count * 2 > len(index):
        raise ValueError(f"the xz index claims {count} blocks in {len(index)} bytes")
    return count, position


def _decode_index(index: bytes) -> list[tuple[int, int]]:
    """Return (unpadded size, decoded size) per block. Raises ValueError."""
    if zlib.crc32(index[:-4]).to_bytes(4, "little") != index[-4:]:
        raise ValueError("the xz index does not match its checksum")
    count, position = _count_records(index)
    records: list[tuple[int, int]] = []
    for _ in range(count):
        unpadded_size, position = decode_vli(index, position)
        decoded_size, position = decode_vli(index, position)
        if unpadded_size < 5:
            raise ValueError("the xz index has a block without room for a header")
        records.append((unpadded_size, decoded_size))
    padding = index[position:-4]
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
    while end > 0:
        if len(streams) == STREAMS_LIMIT:
            raise UnsupportedArchive(
                f"{source.name}: has more than {STREAMS_LIMIT} xz streams; compress it anew"
            )
        end = _skip_stream_padding(source, end)
        blocks, end = _read_last_stream(source, end, limits)
        streams.append(blocks)
        count += len(blocks)
        limits.check(source.name, "blocks", count)
    return [block for blocks in reversed(streams) for block in blocks]


def _skip_stream_padding(source: Source, end: int) -> int:
    """Return *end* without the zero words that may follow a stream (section 2.2)."""
    limit = max(0, end - PADDING_LIMIT)
    while end:
        if end < limit:
            raise UnsupportedArchive(
                f"{source.name}: has more than {PADDING_LIMIT} zero bytes behind an xz stream; "
                "fetch it again"
            )
        start = max(0, end - _PADDING_PIECE)
        piece = source.read_at(start, end - start)
        padding = (len(piece) - len(piece.rstrip(b"\0"))) // 4 * 4
        end -= padding
        if padding < len(piece):
            break
    return end


def _read_last_stream(source: Source, end: int, limits: Limits) -> tuple[list[XzBlock], int]:
    """Return the blocks of the stream that ends at *end*, and where it starts."""

    def damaged(what: str) -> DamagedArchive:
        return DamagedArchive(
            f"{source.name}: {what}: it is truncated or damaged; make or fetch it again"
        )

    if end < HEADER_SIZE + FOOTER_SIZE:
        raise damaged("the xz stream is too short")
    footer = source.read_at(end - FOOTER_SIZE, FOOTER_SIZE)
    if footer[10:] != FOOTER_MAGIC:
        raise damaged("the xz file has no footer")
    if zlib.crc32(footer[4:10]).to_bytes(4, "little") != footer[:4]:
        raise damaged("the xz footer does not match its checksum")
    check = footer[9]
    if footer[8] != 0 or check not in CHECK_NAMES:
        raise UnsupportedArchive(f"{source.name}: uses an unknown kind of xz check ({check})")
    index_size = (int.from_bytes(footer[4:8], "little") + 1) * 4
    index_start = end - FOOTER_SIZE - index_size
    if index_start < HEADER_SIZE or index_size > INDEX_SIZE_LIMIT:
        raise damaged("the xz footer points outside the file")
    try:
        index = source.read_at(index_start, index_size)
        limits.check(source.name, "blocks", _count_records(index)[0])
        records = _decode_index(index)
    except ValueError as error:
        raise damaged(str(error)) from error
    stored = sum(-(-unpadded_size // 4) * 4 for unpadded_size, _ in records)
    start = index_start - stored - HEADER_SIZE
    if start < 0 or source.read_at(start, HEADER_SIZE) != _stream_header(check):
        raise damaged("the xz index does not fit the file")
    blocks: list[XzBlock] = []
    offset = start + HEADER_SIZE
    for unpadded_size, decoded_size in records:
        block = XzBlock(offset, unpadded_size, decoded_size, check)
        blocks.append(block)
        offset += block.stored_size
    return blocks, start


def decode_block(stored: bytes, block: XzBlock) -> bytes:
    """Return the content of *block*, whose *stored* bytes are given, after liblzma checked it.

    Never returns more or less than ``block.decoded_size`` bytes. Raises ValueError.
    """
    index = _encode_index([(block.unpadded_size, block.decoded_size)])
    stream = b"".join(
        (_stream_header(block.check), stored, index, _stream_footer(len(index), block.check))
    )
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, DECODER_MEMORY)
    try:
        # One byte more than announced, so that a block that lies is noticed and not unpacked.
        decoded = decoder.decompress(stream, block.decoded_size + 1)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from error
    if len(decoded) != block.decoded_size or not decoder.eof:
        raise ValueError(f"it does not decode to {block.decoded_size} bytes")
    return decoded


def decode_pieces(stored: Iterable[bytes], block: XzBlock, piece_size: int) -> Iterator[bytes]:
    """Yield the content of *block* in pieces of at most *piece_size* bytes.

    *stored* yields its stored bytes. Its checks come last: what was yielded before the end was
    not verified yet. Raises ValueError.
    """
    index = _encode_index([(block.unpadded_size, block.decoded_size)])
    end = index + _stream_footer(len(index), block.check)
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, DECODER_MEMORY)
    decoded = 0
    try:
        for chunk in chain((_stream_header(block.check),), stored, (end,)):
            piece = decoder.decompress(chunk, piece_size)
            while piece:
                decoded += len(piece)
                yield piece
                piece = b"" if decoder.eof else decoder.decompress(b"", piece_size)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(str(error)) from error
    if decoded != block.decoded_size or not decoder.eof:
        raise ValueError(f"it does not decode to {block.decoded_size} bytes")


class EncodedBlock(NamedTuple):
    """A block ready to be put into a stream: padded bytes, and its record for the index."""

    stored: bytes
    unpadded_size: int
    decoded_size: int


def encode_block(content: bytes, preset: int) -> EncodedBlock:
    """Compress *content*, which must not be empty, to one block whose header
    states both sizes, with a CRC64 check.

    The dictionary is no larger than the content has use for: a reader allocates it. Text
    gains from four literal context bits and no position bits, and from looking for longer
    matches in fewer places: 0.9 % smaller than the presets of xz in the same time.
    liblzma leaves the sizes out of the block header when it does not know them beforehand; a
    decoder that starts in the middle of a file wants them, so the header is written anew.
    """
    dictionary_size = min(
        LARGEST_DICTIONARY, max(SMALLEST_DICTIONARY, 1 << (len(content) - 1).bit_length())
    )
    filters = [
        {
            "id": lzma.FILTER_LZMA2,
            "preset": preset,
            "dict_size": dictionary_size,
            "lc": 4,
            "lp": 0,
            "pb": 0,
            "nice_len": 128,
            "depth": 24,
        }
    ]
    stream = lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)
    index_size = (int.from_bytes(stream[-8:-4], "little") + 1) * 4
    [(unpadded_size, decoded_size)] = _decode_index(
        stream[-FOOTER_SIZE - index_size : -FOOTER_SIZE]
    )
    old_header_size = (stream[HEADER_SIZE] + 1) * 4
    filter_flags = _filter_flags(stream[HEADER_SIZE : HEADER_SIZE + old_header_size])
    body_size = unpadded_size - old_header_size  # data and check, without padding
    padded_body = stream[HEADER_SIZE + old_header_size : -FOOTER_SIZE - index_size]
    data_size = body_size - 8
    header = _block_header(data_size, decoded_size, filter_flags)
    # Both headers are multiples of four bytes, so the padding inside the body stays right.
    return EncodedBlock(header + padded_body, len(header) + body_size, decoded_size)


def _filter_flags(header: bytes) -> bytes:
    """Return the one filter's flags from a block header that states no sizes (section 3.1)."""
    if header[1] != 0:
        raise KheadersfsError(
            "liblzma wrote a block header of an unexpected form; report this with its version"
        )
    _, position = decode_vli(header, 2)
    properties_size, position = decode_vli(header, position)
    return header[2 : position + properties_size]


def _block_header(data_size: int, decoded_size: int, filter_flags: bytes) -> bytes:
    """Return a block header with both sizes present (flag bits 6 and 7, section 3.1.2)."""
    fields = b"\xc0" + encode_vli(data_size) + encode_vli(decoded_size) + filter_flags
    fields += bytes(-(1 + len(fields)) % 4)
    body = bytes(((1 + len(fields)) // 4,)) + fields
    return body + zlib.crc32(body).to_bytes(4, "little")


def stream_start() -> bytes:
    """Return what precedes the first block of a stream with CRC64 checks."""
    return _stream_header(lzma.CHECK_CRC64)


def stream_end(records: list[tuple[int, int]]) -> bytes:
    """Return what follows the last block: index and footer. *records* are (unpadded size,
    decoded size) of every block.
    """
    index = _encode_index(records)
    return index + _stream_footer(len(index), lzma.CHECK_CRC64)
