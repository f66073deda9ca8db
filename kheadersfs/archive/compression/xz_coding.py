"""Blocks of .xz files: decode one, and encode one for a stream of several.

The compressed data is liblzma's business, by way of the standard library.

The standard library cannot decode one block out of many, but it decodes a whole stream. So a
block is wrapped as a stream of its own: stream header, the block, an index with that one record,
stream footer. liblzma then checks the block's sizes and its check as it always does.
"""

from __future__ import annotations

import lzma
import zlib
from itertools import chain

from kheadersfs.archive.compression import xz
from kheadersfs.archive.compression.decoder import decode_gradually, decode_whole
from kheadersfs.errors import KheadersfsError
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DECODER_MEMORY = 100 << 20
"""Bytes that decoding may take; what xz -9 makes needs 65 MiB."""
_PLAIN_CHUNK = 64 << 10
_PLAIN_FILTER_FLAGS = b"\x21\x01\x00"
"""LZMA2 with the smallest dictionary, 4 KiB (section 5.3.1)."""
_CHECK_SIZE = 8
SMALLEST_DICTIONARY = 64 << 10
LARGEST_DICTIONARY = 8 << 20


def decode_block(stored: bytes, block: xz.XzBlock) -> bytes:
    """Return the content of *block*, whose *stored* bytes are given, after liblzma checked it.

    Never returns more or less than ``block.decoded_size`` bytes. Raises ValueError.
    """
    index = xz.encode_index([(block.unpadded_size, block.decoded_size)])
    stream = b"".join(
        (xz.stream_header(block.check), stored, index, xz.stream_footer(len(index), block.check))
    )
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, DECODER_MEMORY)
    return decode_whole(decoder, lzma.LZMAError, stream, block.decoded_size)


def decode_pieces(stored: Iterable[bytes], block: xz.XzBlock, piece_size: int) -> Iterator[bytes]:
    """Yield the content of *block* in pieces of at most *piece_size* bytes.

    *stored* yields its stored bytes. Its checks come last: what was yielded before the end was
    not verified yet. Raises ValueError, as soon as there is more than ``block.decoded_size``.
    """
    index = xz.encode_index([(block.unpadded_size, block.decoded_size)])
    end = index + xz.stream_footer(len(index), block.check)
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, DECODER_MEMORY)
    stream = chain((xz.stream_header(block.check),), stored, (end,))
    return decode_gradually(decoder, lzma.LZMAError, stream, block.decoded_size, piece_size)


class EncodedBlock(Record):
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
    index_start = _index_start(stream)
    [(unpadded_size, decoded_size)] = xz.decode_index(stream[index_start : -xz.FOOTER_SIZE])
    old_header_size = (stream[xz.HEADER_SIZE] + 1) * 4
    filter_flags = _filter_flags(stream[xz.HEADER_SIZE : xz.HEADER_SIZE + old_header_size])
    body_size = unpadded_size - old_header_size  # data and check, without padding
    padded_body = stream[xz.HEADER_SIZE + old_header_size : index_start]
    data_size = body_size - _CHECK_SIZE
    header = _block_header(data_size, decoded_size, filter_flags)
    # Both headers are multiples of four bytes, so the padding inside the body stays right.
    return EncodedBlock(header + padded_body, len(header) + body_size, decoded_size)


def encode_plain_block(content: bytes) -> EncodedBlock:
    """Put *content*, which must not be empty, into one block as it is; see xz.plain_content()."""
    data = bytearray()
    for start in range(0, len(content), _PLAIN_CHUNK):
        chunk = content[start : start + _PLAIN_CHUNK]
        # The first chunk empties the dictionary.
        data += bytes((1 if start == 0 else 2,)) + (len(chunk) - 1).to_bytes(2, "big") + chunk
    data += b"\0"
    # The standard library computes this check only for a stream of its own, where it comes last.
    stream = lzma.compress(content, lzma.FORMAT_XZ, lzma.CHECK_CRC64, preset=0)
    check_end = _index_start(stream)
    check = stream[check_end - _CHECK_SIZE : check_end]
    header = _block_header(len(data), len(content), _PLAIN_FILTER_FLAGS)
    padding = bytes(-len(data) % 4)
    return EncodedBlock(
        header + data + padding + check, len(header) + len(data) + _CHECK_SIZE, len(content)
    )


def _index_start(stream: bytes) -> int:
    """Return where in *stream*, whole and the only one, its blocks end and its index begins."""
    footer = stream[-xz.FOOTER_SIZE :]
    return len(stream) - xz.FOOTER_SIZE - xz.stated_index_size(footer)


def _filter_flags(header: bytes) -> bytes:
    """Return the one filter's flags from a block header that states no sizes (section 3.1)."""
    if header[1] != 0:
        raise KheadersfsError(
            "liblzma wrote a block header of an unexpected form; report this with its version"
        )
    _, position = xz.decode_vli(header, 2)
    properties_size, position = xz.decode_vli(header, position)
    return header[2 : position + properties_size]


def _block_header(data_size: int, decoded_size: int, filter_flags: bytes) -> bytes:
    """Return a block header with both sizes present (flag bits 6 and 7, section 3.1.2)."""
    fields = b"\xc0" + xz.encode_vli(data_size) + xz.encode_vli(decoded_size) + filter_flags
    fields += bytes(-(1 + len(fields)) % 4)
    body = bytes(((1 + len(fields)) // 4,)) + fields
    return body + zlib.crc32(body).to_bytes(4, "little")
