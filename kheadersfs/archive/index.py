"""The embedded index: the table of an archive's members, stored behind its end marker.

It is the end of the archive's last block: the payload, deflated (RFC 1950) behind its size of 8
bytes, and a footer. The block itself is not compressed, so that anybody can tell, without a decoder
and so before it has given up its rights, whether there is an index.

The payload is a header and the sections as ``encode`` joins them. All numbers are little-endian. A
column is stored in the narrowest of 1, 2, 4 and 8 bytes that holds its largest value; its width
precedes it.

Three columns are stored as what differs from what one would expect, which compresses to nothing.
Names have lengths, not ends. An entry's inode is the one after that of the entry before it, but
for hard links. A file's content starts one header behind that of the file before it in its block;
so there are two columns, its block and the difference, in units of ``1 << start_shift`` bytes, with
its sign as zigzag coding has it: 0, -1, 1, -2 and 2 are stored as 0, 1, 2, 3 and 4.
The starts of directories and symlinks follow from the sizes before them.
"""

from __future__ import annotations

import stat
import struct
import sys
import zlib
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive import soundness
from kheadersfs.archive.table import Table
from kheadersfs.limits import UNLIMITED, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VERSION = 2
DIGEST_SIZE = 32
LARGEST = 32 << 20
"""Bytes of a payload; 200,000 names take some 8 million."""
_DEFLATE_LEVEL = 9
_FOOTER_MAGIC = b"KHDRidx\n"
# entries, inodes, blocks, hot blocks, start shift, lengths of release and arch, size of the names,
# size of the targets, size of the stream before the index's block
_HEADER = struct.Struct("<IIIIIHHQQQ")
_SIZE = struct.Struct("<Q")
# magic, version, CRC-32 of all before the footer, bytes before the footer
_FOOTER = struct.Struct("<8sIIQ")
FOOTER_SIZE = _FOOTER.size
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_LARGEST_SHIFT = 9
_LONGEST_WORD = 255


class Index(NamedTuple):
    """What the index says of its archive.

    ``release`` and ``arch`` (the kernel's SRCARCH) are of the kernel that the headers belong to,
    empty when unknown. ``digests`` are the SHA-256 of the stored bytes of every block before
    the index's own, of which the first ``hot_blocks`` are what most builds read.
    ``stream_size`` is what those blocks decode to, in bytes.
    """

    table: Table
    release: str
    arch: str
    digests: list[bytes]
    hot_blocks: int
    stream_size: int


def encode(index: Index, block_starts: Sequence[int]) -> bytes:
    """Return *index* as bytes, footer included; what is put before them does not matter.

    *block_starts* are the offsets in the stream where its blocks begin, in order.
    """
    table = index.table
    files = [row for row, mode in enumerate(table.inode_mode) if stat.S_ISREG(mode)]
    combined = 1 << _LARGEST_SHIFT
    for row in files:
        combined |= table.inode_start[row]
    shift = (combined & -combined).bit_length() - 1
    blocks = array("I", [bisect_right(block_starts, table.inode_start[row]) - 1 for row in files])
    gaps = array("Q")
    expected = _Expected(shift)
    for row, block in zip(files, blocks, strict=True):
        gap = (table.inode_start[row] >> shift) - expected.start(block)
        gaps.append(gap * 2 if gap >= 0 else -gap * 2 - 1)
        expected.note(block, table.inode_start[row] >> shift, table.inode_size[row])
    release, arch = index.release.encode(), index.arch.encode()
    ends = table.entry_name_end
    header = _HEADER.pack(
        len(table.entry_inode),
        len(table.inode_mode),
        len(index.digests),
        index.hot_blocks,
        shift,
        len(release),
        len(arch),
        len(table.names),
        len(table.targets),
        index.stream_size,
    )
    name_lengths = array("B", map(int.__sub__, ends, [0, *ends[:-1]]))
    # Times may lie before 1970, so they are kept as they would be in memory, unsigned.
    times = array("Q", table.inode_mtime.tobytes())
    payload = b"".join(
        (
            header,
            release,
            arch,
            *index.digests,
            table.names,
            table.targets,
            _encode_column(name_lengths),
            _encode_column(
                array("I", [e + 2 - inode for e, inode in enumerate(table.entry_inode)])
            ),
            _encode_column(table.inode_mode),
            _encode_column(table.inode_links),
            _encode_column(times),
            _encode_column(table.inode_size),
            _encode_column(blocks),
            _encode_column(gaps),
        )
    )
    return wrap(payload)


class _Expected:
    """Where the next file of each block should start, in units of ``1 << shift`` bytes."""

    __slots__ = ("_next", "_round", "_shift")

    def __init__(self, shift: int) -> None:
        self._next: dict[int, int] = {}
        self._shift = shift
        self._round = (1 << shift) - 1

    def start(self, block: int) -> int:
        """Return the expected start; 0 for the first file of *block*."""
        return self._next.get(block, 0)

    def note(self, block: int, start: int, size: int) -> None:
        """Take note of a file of *size* bytes; one unit for the next one's header follows."""
        self._next[block] = start + ((size + self._round) >> self._shift) + 1


def _encode_column(column: array[int]) -> bytes:
    largest = max(column, default=0)
    width = next(width for width in _WIDTHS if largest < 1 << (8 * width))
    narrow = array(_WIDTHS[width], column)
    if sys.byteorder == "big":
        narrow.byteswap()
    return bytes((width,)) + narrow.tobytes()


def wrap(payload: bytes) -> bytes:
    """Return *payload* deflated, with what is around it so that it is found and checked."""
    body = _SIZE.pack(len(payload)) + zlib.compress(payload, _DEFLATE_LEVEL)
    return body + _FOOTER.pack(_FOOTER_MAGIC, VERSION, zlib.crc32(body), len(body))


def find(content: bytes) -> bytes:
    """Return the index at the end of *content*, of an archive's last block; empty without one.

    It is as it was written, but may have been written by anybody. Raises ValueError when it is
    not, or of another version.
    """
    end = len(content) - FOOTER_SIZE
    if end < 0 or not content.startswith(_FOOTER_MAGIC, end):
        return b""
    _, version, checksum, size = _FOOTER.unpack_from(content, end)
    if version != VERSION:
        raise ValueError(f"its version is {version}, and this program knows {VERSION}")
    if not _SIZE.size <= size <= end:
        raise ValueError("its footer states a wrong length")
    body = content[end - size : end]
    if zlib.crc32(body) != checksum:
        raise ValueError("it does not match its checksum")
    return body


def unwrap(body: bytes) -> bytes:
    """Return the payload in *body*, which find() returned. Raises ValueError."""
    [size] = _SIZE.unpack_from(body)
    if size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    decoder = zlib.decompressobj()
    try:
        payload = decoder.decompress(body[_SIZE.size :], size + 1)
    except zlib.error as error:
        raise ValueError(f"it cannot be inflated: {error}") from error
    if len(payload) != size or not decoder.eof or decoder.unused_data:
        raise ValueError(f"it does not inflate to {size} bytes")
    return payload


def decode(body: bytes, archive: str = "index", limits: Limits = UNLIMITED) -> Index:
    """Return the index in *body*, which find() returned, of the file *archive*.

    Every number is checked against what it refers to inside the index. Raises ValueError for
    anything that is not exactly an index, RefusedArchive for more names than *limits* allow.
    """
    payload = unwrap(body)
    if len(payload) < _HEADER.size:
        raise ValueError("it has no header")
    header = _HEADER.unpack_from(payload)
    limits.check(archive, "members", max(header[0], header[1]))
    try:
        index = _Decoding(payload, header).index()
    except (OverflowError, UnicodeDecodeError) as error:
        raise ValueError("it holds a value that cannot be") from error
    soundness.check(index.table)
    return index


class _Decoding:
    """One walk through a payload's sections."""

    def __init__(self, payload: bytes, header: tuple[int, ...]) -> None:
        self._payload = payload
        self._position = _HEADER.size
        (
            self._entries,
            self._inodes,
            self._blocks,
            self._hot_blocks,
            self._shift,
            self._release_size,
            self._arch_size,
            self._names_size,
            self._targets_size,
            self._stream_size,
        ) = header
        if self._shift > _LARGEST_SHIFT:
            raise ValueError("its starts have an impossible unit")

    def index(self) -> Index:
        """Return the index. Raises ValueError."""
        release = self._word(self._release_size)
        arch = self._word(self._arch_size)
        joined = self._take(self._blocks * DIGEST_SIZE)
        digests = [
            joined[position : position + DIGEST_SIZE]
            for position in range(0, len(joined), DIGEST_SIZE)
        ]
        table = self._table()
        if self._position != len(self._payload):
            raise ValueError("it has stray bytes behind its columns")
        return Index(table, release, arch, digests, self._hot_blocks, self._stream_size)

    def _table(self) -> Table:
        names = self._take(self._names_size)
        targets = self._take(self._targets_size)
        name_lengths = self._column(self._entries, "B")
        if 0 in name_lengths or b"/" in names or b"\0" in names or b"\0" in targets:
            raise ValueError("it has a name that cannot be")
        lags = self._column(self._entries, "I")
        modes = self._column(self._inodes, "I")
        links = self._column(self._inodes, "I")
        times = array("q", self._column(self._inodes, "Q").tobytes())
        sizes = self._column(self._inodes, "Q")
        files = sum(map(stat.S_ISREG, modes))
        blocks = self._column(files, "I")
        gaps = self._column(files, "Q")
        return Table(
            entry_inode=array("I", [e + 2 - lag for e, lag in enumerate(lags)]),
            entry_name_end=array("I", accumulate(name_lengths)),
            names=names,
            inode_mode=modes,
            inode_links=links,
            inode_mtime=times,
            inode_size=sizes,
            inode_start=_restore_starts(modes, sizes, zip(blocks, gaps, strict=True), self._shift),
            targets=targets,
        )

    def _word(self, size: int) -> str:
        word = self._take(size).decode("ascii")
        if size > _LONGEST_WORD or not word.isprintable() or " " in word:
            raise ValueError("it names a kernel that cannot be")
        return word

    def _take(self, size: int) -> bytes:
        piece = self._payload[self._position : self._position + size]
        if len(piece) != size:
            raise ValueError("a section is cut off")
        self._position += size
        return piece

    def _column(self, length: int, typecode: str) -> array[int]:
        width = self._take(1)[0]
        if width not in _WIDTHS:
            raise ValueError(f"a column is {width} bytes wide")
        column = array(_WIDTHS[width], self._take(width * length))
        if sys.byteorder == "big":
            column.byteswap()
        return column if column.typecode == typecode else array(typecode, column)


def _restore_starts(
    modes: array[int], sizes: array[int], places: Iterator[tuple[int, int]], shift: int
) -> array[int]:
    """Return where everything starts; *places* has block and gap of each file."""
    starts = array("Q")
    expected = _Expected(shift)
    entry, target = 0, 0
    for mode, size in zip(modes, sizes, strict=True):
        if stat.S_ISREG(mode):
            block, gap = next(places)
            start = expected.start(block) + (-(gap + 1 >> 1) if gap & 1 else gap >> 1)
            expected.note(block, start, size)
            starts.append(start << shift)
        elif stat.S_ISDIR(mode):
            starts.append(entry)
            entry += size
        else:
            starts.append(target)
            target += size
    return starts
