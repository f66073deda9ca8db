"""A reader of the embedded index, written from tools/docs/index-format.md and nothing else.

It uses no code of kheadersfs, and checks only what it needs to find its way.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zlib
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple


class Listed(NamedTuple):
    """What the index says of a name. ``start`` is where a file's content is in the stream."""

    mode: int
    links: int
    mtime: int
    size: int
    start: int
    target: bytes


class Columns:
    """The bytes of a section, taken one after the other."""

    def __init__(self, section: bytes) -> None:
        self.section = section
        self.position = 0

    def take(self, size: int) -> bytes:
        self.position += size
        assert self.position <= len(self.section)
        return self.section[self.position - size : self.position]

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def column(self, count: int) -> list[int]:
        (width,) = self.take(1)
        return list(self.unpack(f"{count}{ {1: 'B', 2: 'H', 4: 'I', 8: 'Q'}[width] }"))

    def finish(self) -> None:
        assert self.position == len(self.section)


@dataclass
class Found:
    """What is read page by page: inodes by number, entries as names and inodes."""

    release: str
    arch: str
    digests: list[bytes]
    shift: int
    inodes: list[Listed] = field(default_factory=lambda: [Listed(0, 0, 0, 0, 0, b"")])
    entries: list[tuple[bytes, int]] = field(default_factory=list)

    def paths(self) -> dict[bytes, Listed]:
        """Return all names below the root with what they name."""
        found: dict[bytes, Listed] = {}
        following = 0
        names = {1: b""}
        for number, inode in enumerate(self.inodes):
            if stat.S_ISDIR(inode.mode):
                for name, child in self.entries[following : following + inode.size]:
                    path = names[number] + name
                    found[path] = self.inodes[child]
                    names[child] = path + b"/"
                following += inode.size
        return found


def read_index(file: bytes) -> Found:
    """Return what the index of the archive *file* says, all of whose blocks have its digests."""
    blocks, body = blocks_and_index(file, 3)
    first, *pages = sections_of(body)
    head = Columns(first)
    count, _hot, shift, release_size, arch_size, _stream_size = head.unpack("IIIHHQ")
    assert count == len(blocks)
    release, arch = head.take(release_size).decode(), head.take(arch_size).decode()
    found = Found(release, arch, [head.take(32) for _ in range(count)], shift)
    assert found.digests == [hashlib.sha256(block).digest() for block in blocks]
    head.column(2)
    page_count, levels = head.column(2)
    assert page_count == len(pages)
    head.column(levels)
    head.column(levels)
    entries, inodes, _children, _contents, counts = (head.column(page_count) for _ in range(5))
    head.column(sum(counts))
    head.finish()
    for page, page_entries, page_inodes in zip(pages, entries, inodes, strict=True):
        read_page(page, page_entries, page_inodes, found)
    return found


def blocks_and_index(file: bytes, expected: int) -> tuple[list[bytes], bytes]:
    """Return the stored blocks of *file* and the body of its index, of the *expected* version."""
    blocks = xz_blocks(file) if file.startswith(b"\xfd7zXZ\0") else zstd_frames(file)
    last = blocks.pop()
    content = (xz_plain if file.startswith(b"\xfd7zXZ\0") else zstd_plain)(last)
    magic, version, checksum, size = struct.unpack("<8sIIQ", content[-24:])
    assert (magic, version) == (b"KHDRidx\n", expected)
    body = content[-24 - size : -24]
    assert zlib.crc32(body) == checksum
    return blocks, body


def sections_of(body: bytes) -> list[bytes]:
    sections: list[bytes] = []
    while body:
        size, deflated = struct.unpack("<II", body[:8])
        sections.append(zlib.decompress(body[8 : 8 + deflated]))
        assert len(sections[-1]) == size
        body = body[8 + deflated :]
    return sections


def read_page(page: bytes, entries: int, inodes: int, found: Found) -> None:
    columns = Columns(page)
    lengths, lags = columns.column(entries), columns.column(entries)
    modes, links, times, sizes = (columns.column(inodes) for _ in range(4))
    files = sum(map(stat.S_ISREG, modes))
    places = list(zip(columns.column(files), columns.column(files), strict=True))
    first = max(len(found.inodes), 2)
    for number, (length, lag) in enumerate(zip(lengths, lags, strict=True)):
        found.entries.append((columns.take(length), first + number - lag))
    expected: dict[int, int] = {}
    for mode, link, time, size in zip(modes, links, times, sizes, strict=True):
        start, target = 0, b""
        if stat.S_ISLNK(mode):
            target = columns.take(size)
        elif stat.S_ISREG(mode):
            block, gap = places.pop(0)
            units = expected.get(block, 0) + (-(gap + 1 >> 1) if gap & 1 else gap >> 1)
            expected[block] = units + -(-size >> found.shift) + 1
            start = units << found.shift
        signed = time - (1 << 64) if time >> 63 else time
        found.inodes.append(Listed(mode, link, signed, size, start, target))
    columns.finish()


def xz_blocks(file: bytes) -> list[bytes]:
    """Return the blocks as they are stored, padding included."""
    (backward,) = struct.unpack("<I", file[-8:-4])
    index = file[-12 - (backward + 1) * 4 : -12]
    numbers: list[int] = []
    value = shift = 0
    for byte in index[1:-4]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(value)
            value = shift = 0
    count, *records = numbers
    sizes = [unpadded + 3 & ~3 for unpadded in records[: 2 * count : 2]]
    return [
        file[12 + end - size : 12 + end] for size, end in zip(sizes, accumulate(sizes), strict=True)
    ]


def xz_plain(block: bytes) -> bytes:
    """Return the content of a block of xz that is not compressed."""
    position = (block[0] + 1) * 4
    content = b""
    while control := block[position]:
        assert control == (2 if content else 1)
        size = int.from_bytes(block[position + 1 : position + 3], "big") + 1
        content += block[position + 3 : position + 3 + size]
        position += 3 + size
    return content


def zstd_frames(file: bytes) -> list[bytes]:
    """Return the frames that the seek table lists."""
    count, descriptor, magic = struct.unpack("<IBI", file[-9:])
    assert (descriptor, magic) == (0, 0x8F92EAB1)
    table = file[-9 - 8 * count : -9]
    sizes = [stored for stored, _decoded in struct.iter_unpack("<II", table)]
    return [file[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]


def zstd_plain(frame: bytes) -> bytes:
    """Return the content of a frame of zstd that is not compressed."""
    assert frame[4] == 0xE4
    position, content, last = 13, b"", 0
    while not last:
        header = int.from_bytes(frame[position : position + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        assert kind == 0
        content += frame[position + 3 : position + 3 + size]
        position += 3 + size
    return content
