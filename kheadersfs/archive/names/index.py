"""The embedded index: the table of an archive's members, stored behind its end marker.

It is the end of the archive's last block: sections, the first with the outline of the table and
each of the others with one of its pages, and a footer. Each section is deflated (RFC 1950) behind
its size and its deflated size. The block itself is not compressed, so that anybody can tell,
without a decoder and so before it has given up its rights, whether there is an index.

The first section is a header, the kernel's release and its SRCARCH, the SHA-256 of every block,
and columns; see columns, outline and pages. All numbers are little-endian.
"""

from __future__ import annotations

import stat
import struct
import zlib
from bisect import bisect_right

from kheadersfs.archive.names import soundness
from kheadersfs.archive.names.columns import Sections, word
from kheadersfs.archive.names.outline import MOST_PAGES, PAGE_ENTRIES, Outline, outline_of
from kheadersfs.archive.names.page import Page
from kheadersfs.archive.names.pages import LARGEST_SHIFT, decode_page, encode_page, find_shift
from kheadersfs.archive.names.table import Table
from kheadersfs.digests import sha256
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.limits import Limits

VERSION = 3
FLEET_VERSION = 4
"""The version of an index of several kernels; see fleet.index."""
DIGEST_SIZE = 32
LARGEST = 32 << 20
"""Bytes that all sections may have together. 200,000 names take some 8 million."""
_DEFLATE_LEVEL = 9
_FOOTER_MAGIC = b"KHDRidx\n"
# In front of each section: its size in bytes, and that of the same deflated.
_FRAME = struct.Struct("<II")
# The fields are: blocks, hot blocks, start shift, lengths of release and arch, size of the stream
# before the index's block.
_HEADER = struct.Struct("<IIIHHQ")
# The fields are: magic, version, CRC-32 of all before the footer, bytes before the footer.
_FOOTER = struct.Struct("<8sIIQ")
FOOTER_SIZE = _FOOTER.size


class Index(Record):
    """What the index says of its archive.

    ``release`` and ``arch`` (the kernel's SRCARCH) are of the kernel that the headers belong to,
    empty when unknown. ``digests`` are the SHA-256 of the stored bytes of every block before
    the index's own, of which the first ``hot_blocks`` are what most builds read.
    ``stream_size`` is what those blocks decode to, in bytes. ``page_blocks`` are the blocks that
    each of the table's pages has files in; to encode an index, they are found anew. ``digest`` is
    the SHA-256 of the index that this was decoded from.
    """

    table: Table
    release: str
    arch: str
    digests: list[bytes]
    hot_blocks: int
    stream_size: int
    page_blocks: Sequence[Sequence[int]] = ()
    digest: bytes = b""


def encode(index: Index, block_starts: Sequence[int], page_entries: int = PAGE_ENTRIES) -> bytes:
    """Return *index* as bytes, footer included; what is put before them does not matter.

    *block_starts* are the offsets in the stream where its blocks begin, in order; for
    *page_entries* see outline_of.
    """
    whole = index.table.whole()
    blocks = {
        row: bisect_right(block_starts, whole.inode_start[row]) - 1
        for row in whole.rows(stat.S_IFREG)
    }
    outline = outline_of(whole, blocks, page_entries)
    shift = find_shift(whole)
    release, arch = index.release.encode(), index.arch.encode()
    header = _HEADER.pack(
        len(index.digests), index.hot_blocks, shift, len(release), len(arch), index.stream_size
    )
    first = b"".join((header, release, arch, *index.digests, outline.encode()))
    pages = [
        encode_page(whole, number, outline, blocks, shift)
        for number in range(len(outline.page_blocks))
    ]
    return wrap(VERSION, first, *pages)


def wrap(version: int, *sections: bytes) -> bytes:
    """Return *sections* deflated, with what is around them in an index of this *version*."""
    pieces: list[bytes] = []
    for section in sections:
        deflated = zlib.compress(section, _DEFLATE_LEVEL)
        pieces += (_FRAME.pack(len(section), len(deflated)), deflated)
    body = b"".join(pieces)
    return body + _FOOTER.pack(_FOOTER_MAGIC, version, zlib.crc32(body), len(body))


def version_of(content: bytes) -> int:
    """Return the version of the index at the end of *content*; 0 without one."""
    end = len(content) - FOOTER_SIZE
    if end < 0 or not content.startswith(_FOOTER_MAGIC, end):
        return 0
    version: int = _FOOTER.unpack_from(content, end)[1]
    return version


def find(content: bytes) -> bytes:
    """Return the index at the end of *content*, of an archive's last block; empty without one.

    It is as it was written, but may have been written by anybody. Raises ValueError when it is
    not, or of a version that is not known.
    """
    end = len(content) - FOOTER_SIZE
    if end < 0 or not content.startswith(_FOOTER_MAGIC, end):
        return b""
    _, version, checksum, size = _FOOTER.unpack_from(content, end)
    if version not in (VERSION, FLEET_VERSION):
        raise ValueError(
            f"its version is {version}, and this program knows {VERSION} and {FLEET_VERSION}"
        )
    if not _FRAME.size <= size <= end:
        raise ValueError("its footer states a wrong length")
    body = content[end - size : end]
    if zlib.crc32(body) != checksum:
        raise ValueError("it does not match its checksum")
    return body


def is_alone(content: bytes) -> bool:
    """Tell whether *content*, behind zeros that are not in it, looks like an index and no more."""
    end = len(content) - FOOTER_SIZE
    if end < 0 or not content.startswith(_FOOTER_MAGIC, end):
        return False
    size: int = _FOOTER.unpack_from(content, end)[3]
    return size >= end  # its first bytes may be zeros too


class _Section(Record):
    """A section as it lies in the body of an index: ``size`` bytes that are not yet inflated."""

    deflated: memoryview
    size: int

    def inflate(self) -> bytes:
        """Return its bytes. Raises ValueError."""
        decoder = zlib.decompressobj()
        try:
            section = decoder.decompress(self.deflated, self.size + 1)
        except zlib.error as error:
            raise ValueError(f"it cannot be inflated: {error}") from error
        if len(section) != self.size or not decoder.eof or decoder.unused_data:
            raise ValueError(f"it does not inflate to {self.size} bytes")
        return section


def split(body: bytes) -> list[_Section]:
    """Return the sections in *body*, which find() returned. Raises ValueError."""
    sections: list[_Section] = []
    view, position, total = memoryview(body), 0, 0
    while position < len(body):
        if position + _FRAME.size > len(body):
            raise ValueError("a section is cut off")
        size, deflated_size = _FRAME.unpack_from(body, position)
        start, position = position + _FRAME.size, position + _FRAME.size + deflated_size
        total += size
        if position > len(body):
            raise ValueError("a section is cut off")
        if total > LARGEST:
            raise ValueError(f"it is larger than {LARGEST} bytes")
        if len(sections) > MOST_PAGES:
            raise ValueError(f"it has more than {MOST_PAGES} pages")
        sections.append(_Section(view[start:position], size))
    return sections


def check_header(
    blocks: int, hot_blocks: int, shift: int, stream_size: int, block_starts: Sequence[int]
) -> None:
    """Raise ValueError for what a header says that is not of blocks with these starts."""
    if shift > LARGEST_SHIFT:
        raise ValueError("its starts have an impossible unit")
    if blocks != len(block_starts) - 1 or stream_size != block_starts[-1]:
        raise ValueError("it belongs to another archive")
    if hot_blocks > blocks:
        raise ValueError("it claims more blocks than there are")


def decode(
    body: bytes,
    block_starts: Sequence[int],
    archive: str,
    limits: Limits,
    completely: bool = False,
) -> Index:
    """Return the index in *body*, which find() returned, of the file *archive*.

    *block_starts* are the offsets where the blocks before the index's own begin, and where the
    last of them ends. Unless all of it is to be checked *completely*, or there are hard links,
    pages are decoded when the table is asked for what is in them, and raise DamagedArchive then if
    they are not exactly what the outline says. Raises ValueError for anything else that is not
    exactly an index, DamagedArchive for a page, RefusedArchive for what *limits* do not allow.
    """
    first, *pages = split(body)
    section = first.inflate()
    if len(section) < _HEADER.size:
        raise ValueError("it has no header")
    blocks, hot_blocks, shift, release_size, arch_size, stream_size = _HEADER.unpack_from(section)
    check_header(blocks, hot_blocks, shift, stream_size, block_starts)
    sections = Sections(section, _HEADER.size)
    release, arch = word(sections.take(release_size)), word(sections.take(arch_size))
    digests = [sections.take(DIGEST_SIZE) for _ in range(blocks)]
    outline = Outline.decode(sections, blocks)
    sections.finish()
    if len(pages) != len(outline.page_blocks):
        raise ValueError("it has another number of pages than it says")
    outline.check_limits(archive, limits)

    def make(number: int) -> Page:
        try:
            page = decode_page(pages[number].inflate(), number, outline, block_starts, shift)
        except OverflowError as error:
            raise ValueError("it holds a value that cannot be") from error
        soundness.check_page(page, number, outline)
        return page

    table = Table(archive, outline.bounds, outline.content_size, make)
    # Whether an inode has as many names as it says, only all pages together can tell.
    if completely or table.bounds.has_hard_links:
        table.check()
    return Index(
        table,
        release,
        arch,
        digests,
        hot_blocks,
        stream_size,
        outline.page_blocks,
        sha256(body).digest(),
    )
