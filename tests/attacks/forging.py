"""Archives written byte by byte, so that they can say what no archiver would."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.compression import xz, xz_coding, zstd_coding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TAR_BLOCK = 512
END = bytes(2 * TAR_BLOCK)
FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
)
LONG_NAME, LONG_LINK, SPARSE, PAX, PAX_GLOBAL = b"L", b"K", b"S", b"x", b"g"


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def base256(value: int, width: int) -> bytes:
    """A number as GNU tar writes those that octal has no room for, also negative ones."""
    field = bytearray(value.to_bytes(width, "big", signed=True))
    field[0] |= 0x80
    return bytes(field)


def tar_header(
    name: bytes,
    size: int | bytes = 0,
    kind: bytes = FILE,
    mode: int = 0o644,
    link: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """A ustar header with a right checksum. *size* may be the field's own bytes; *tail* replaces
    what comes after the magic, from offset 257 on."""
    size_field = size if isinstance(size, bytes) else octal(size, 12)
    start = name[:100].ljust(100, b"\0") + octal(mode, 8) + octal(0, 8) + octal(0, 8)
    start += size_field + octal(0, 12)
    end = kind + link[:100].ljust(100, b"\0") + (tail or b"ustar\00000").ljust(255, b"\0")
    checksum = sum(start) + 8 * 0x20 + sum(end)
    return start + b"%06o\0 " % checksum + end


def padded(content: bytes, unit: int = TAR_BLOCK) -> bytes:
    return content + bytes(-len(content) % unit)


def tar_file(name: bytes, content: bytes, mode: int = 0o644) -> bytes:
    return tar_header(name, len(content), mode=mode) + padded(content)


def tar_long(kind: bytes, value: bytes) -> bytes:
    """The extra member that carries a long name (LONG_NAME) or link target of the next one."""
    return tar_header(b"././@LongLink", len(value) + 1, kind) + padded(value + b"\0")


def tar_named(name: bytes, content: bytes) -> bytes:
    """A file with a name of any length and any bytes but NUL."""
    return tar_long(LONG_NAME, name) + tar_file(name, content)


def pax_record(keyword: bytes, value: bytes) -> bytes:
    rest = len(keyword) + len(value) + 3
    digits = 1
    while len(b"%d" % (rest + digits)) != digits:
        digits += 1
    return b"%d %s=%s\n" % (rest + digits, keyword, value)


def tar_pax(records: bytes, kind: bytes = PAX) -> bytes:
    """The extra member that carries *records* for the next one, or for all (PAX_GLOBAL)."""
    return tar_header(b"pax", len(records), kind) + padded(records)


class Newc(NamedTuple):
    """One member of a cpio archive; ``check`` is the sum of its bytes in the crc format.

    ``size`` and ``name_size`` are what it says, ``size_field`` the field's own bytes.
    """

    name: bytes
    content: bytes = b""
    mode: int = 0o100644
    inode: int = 0
    links: int = 1
    size: int | None = None
    check: int = 0
    name_size: int | None = None
    size_field: bytes = b""

    def encode(self, magic: bytes = b"070701") -> bytes:
        size = len(self.content) if self.size is None else self.size
        fields = (self.inode, self.mode, 0, 0, self.links, 0, size, 0, 0, 0, 0)
        header = magic + b"".join(b"%08X" % (field & 0xFFFFFFFF) for field in fields)
        if self.size_field:
            header = header[:54] + self.size_field + header[62:]
        name_size = len(self.name) + 1 if self.name_size is None else self.name_size
        header += b"%08X%08X" % (name_size, self.check)
        return padded(header + self.name + b"\0", 4) + padded(self.content, 4)


def newc(*members: Newc, magic: bytes = b"070701") -> bytes:
    return b"".join(member.encode(magic) for member in (*members, Newc(b"TRAILER!!!", mode=0)))


def compress(compression: str, content: bytes) -> bytes:
    """*content* as one stream, member or frame of *compression*."""
    if compression == "gzip":
        return gzip.compress(content, 9, mtime=0)
    if compression == "bzip2":
        return bz2.compress(content)
    if compression == "xz":
        return lzma.compress(content)
    if compression == "zstd":
        return zstd_coding.encode_frame(content, 3)
    assert compression == "lz4"
    return lz4_frame(content)


def lz4_frame(content: bytes) -> bytes:
    """A frame of the LZ4 format whose blocks are runs of the first byte, or stored.

    Source: "LZ4 Frame Format Description" 1.6.1 and "LZ4 Block Format Description".
    """
    flags = bytes((0x60, 0x70))  # version 1, independent blocks without checksums, up to 4 MiB
    frame = b"\x04\x22\x4d\x18" + flags + bytes((_xxh32(flags) >> 8 & 0xFF,))
    for start in range(0, len(content), 4 << 20):
        block = content[start : start + (4 << 20)]
        packed = _lz4_run(block)
        size = len(packed) if packed else len(block) | 1 << 31
        frame += size.to_bytes(4, "little") + (packed or block)
    return frame + bytes(4)


def _lz4_run(block: bytes) -> bytes:
    """*block* as one literal, a match that repeats it, and five literals; empty if it is no run."""
    if len(block) < 32 or block.count(block[:1]) != len(block):
        return b""
    left = len(block) - 1 - 5 - 4 - 15
    match = b"\x1f" + block[:1] + b"\x01\x00" + b"\xff" * (left // 255) + bytes((left % 255,))
    return match + b"\x50" + block[:5]


def _xxh32(data: bytes) -> int:
    """xxHash32 of fewer than four bytes (the frame descriptor's check)."""
    prime1, prime3, prime5 = 0x9E3779B1, 0xC2B2AE3D, 0x165667B1
    state = (prime5 + len(data)) & 0xFFFFFFFF
    for byte in data:
        state = (state + byte * prime5) & 0xFFFFFFFF
        state = ((state << 11 | state >> 21) * prime1) & 0xFFFFFFFF
    state = ((state ^ state >> 15) * 0x85EBCA77) & 0xFFFFFFFF
    state = ((state ^ state >> 13) * prime3) & 0xFFFFFFFF
    return state ^ state >> 16


def xz_stream(blocks: list[bytes], records: list[tuple[int, int]] | None = None) -> bytes:
    """An xz stream of *blocks*, whose index says *records* instead of what is true."""
    encoded = [xz_coding.encode_block(block, 1) for block in blocks]
    stored = b"".join(block.stored for block in encoded)
    true = [(block.unpadded_size, block.decoded_size) for block in encoded]
    return xz.stream_start() + stored + xz.stream_end(true if records is None else records)


def xz_index(body: bytes) -> bytes:
    """An index of any content, with the footer that fits it (CRC64 as the check)."""
    index = padded(b"\0" + body, 4)
    index += zlib.crc32(index).to_bytes(4, "little")
    footer = (len(index) // 4 - 1).to_bytes(4, "little") + b"\0\x04"
    return index + zlib.crc32(footer).to_bytes(4, "little") + footer + b"YZ"


def xz_records(blocks: list[bytes]) -> list[tuple[int, int]]:
    """What a true index says of *blocks*: (unpadded size, decoded size) of each."""
    encoded = [xz_coding.encode_block(block, 1) for block in blocks]
    return [(block.unpadded_size, block.decoded_size) for block in encoded]


def zstd_file(frames: list[bytes], sizes: list[tuple[int, int]], count: int | None = None) -> bytes:
    """*frames*, and behind them a seek table that says what it likes."""
    return b"".join(frames) + zstd_seek_table(sizes, count)


def zstd_seek_table(sizes: list[tuple[int, int]], count: int | None = None) -> bytes:
    """A seek table that lists *sizes*, and says that there are *count*."""
    table = bytearray(zstd_coding.encode_seek_table(sizes))
    if count is not None:
        table[-9:-5] = count.to_bytes(4, "little")
    return bytes(table)


def zstd_run(start: bytes, size: int) -> bytes:
    """One frame of *size* bytes: *start*, and zeros behind it."""
    block = 128 << 10
    frame = b"\x28\xb5\x2f\xfd\xc0\x58" + size.to_bytes(8, "little")
    frame += (len(start) << 3).to_bytes(3, "little") + start
    left = size - len(start)
    frame += ((block << 3 | 2).to_bytes(3, "little") + b"\0") * (left // block)
    return frame + (left % block << 3 | 3).to_bytes(3, "little") + b"\0"


def zstd_stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* as one frame, a little at a time."""
    compressor = zstd_coding.import_library().ZstdCompressor(level=1)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()
