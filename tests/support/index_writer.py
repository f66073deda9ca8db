"""A writer of the embedded index, made from tools/docs/index-format.md and nothing else.

It uses no code of kheadersfs, and compresses nothing: sections are deflated as stored blocks.
"""

from __future__ import annotations

import stat
import struct
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

ROOT = 1


@dataclass(eq=False)
class File:
    """What a name stands for. The same object under several names is one inode.

    ``start`` is where a regular file's content is in the stream.
    """

    mode: int
    mtime: int = 0
    size: int = 0
    start: int = 0
    target: bytes = b""
    links: int = 0
    number: int = 0


@dataclass
class Page:
    """Entries as names, levels and inodes, and the inodes that these name first."""

    first: int
    entries: list[tuple[bytes, int, File]] = field(default_factory=list)
    inodes: list[File] = field(default_factory=list)


@dataclass
class Archive:
    """What the header says, and where blocks begin in the stream and the last of them ends."""

    release: str
    arch: str
    digests: list[bytes]
    hot_blocks: int
    starts: Sequence[int]

    def block_of(self, file: File) -> int:
        return bisect_right(self.starts[:-1], file.start) - 1


def write_index(tree: dict[bytes, File], archive: Archive, page_entries: int) -> bytes:
    """Return the index of *tree*, in which the root has an empty path, footer included.

    A page ends behind the directory that has its entry number *page_entries*.
    """
    pages = number(tree, page_entries)
    shift = 9
    while any(file.start % (1 << shift) for file in tree.values() if stat.S_ISREG(file.mode)):
        shift -= 1
    release, arch = archive.release.encode("ascii"), archive.arch.encode("ascii")
    header = struct.pack(
        "<IIIHHQ",
        *(len(archive.digests), archive.hot_blocks, shift, len(release), len(arch)),
        archive.starts[-1],
    )
    first = b"".join((header, release, arch, *archive.digests, outline(pages, archive)))
    body = b"".join(map(section, [first, *(page_of(page, archive, shift) for page in pages)]))
    return body + struct.pack("<8sIIQ", b"KHDRidx\n", 3, zlib.crc32(body), len(body))


def number(tree: dict[bytes, File], page_entries: int) -> list[Page]:
    """Give inodes their numbers and links, and return the pages."""
    children: dict[bytes, list[bytes]] = {}
    for path in tree:
        if path:
            parent, _, name = path.rpartition(b"/")
            children.setdefault(parent, []).append(name)
    root = tree[b""]
    root.number = count = ROOT
    pages = [Page(ROOT, inodes=[root])]
    directories = [(b"", 0, root)]
    for path, level, directory in directories:
        names = sorted(children.get(path, ()))
        if names and len(pages[-1].entries) >= page_entries:
            pages.append(Page(count + 1))
        directory.size, directory.links = len(names), directory.links + 2
        for name in names:
            child_path = path + b"/" + name if path else name
            child = tree[child_path]
            if not child.number:
                child.number = count = count + 1
                pages[-1].inodes.append(child)
            if stat.S_ISDIR(child.mode):
                directory.links += 1
                directories.append((child_path, level + 1, child))
            else:
                child.links += 1
            pages[-1].entries.append((name, level, child))
    return pages


def outline(pages: list[Page], archive: Archive) -> bytes:
    entries = [entry for page in pages for entry in page.entries]
    levels = [level for _, level, _ in entries]
    longest = [0] * (max(levels, default=-1) + 1)
    for name, level, _ in entries:
        longest[level] = max(longest[level], len(name))
    files = [[file for file in page.inodes if stat.S_ISREG(file.mode)] for page in pages]
    targets = [len(file.target) for page in pages for file in page.inodes]
    blocks = [sorted({archive.block_of(file) for file in page}) for page in files]
    columns = (
        (max((file.size for page in files for file in page), default=0), max(targets)),
        (len(pages), len(longest)),
        [levels.count(level) for level in range(len(longest))],
        longest,
        [len(page.entries) for page in pages],
        [len(page.inodes) for page in pages],
        [sum(file.size for file in page.inodes if stat.S_ISDIR(file.mode)) for page in pages],
        [sum(file.size for file in page) for page in files],
        [len(numbers) for numbers in blocks],
        [block for numbers in blocks for block in numbers],
    )
    return b"".join(map(column, columns))


def page_of(page: Page, archive: Archive, shift: int) -> bytes:
    following = max(page.first, ROOT + 1)
    lags = [following + place - file.number for place, (_, _, file) in enumerate(page.entries)]
    blocks: list[int] = []
    gaps: list[int] = []
    expected: dict[int, int] = {}
    for file in page.inodes:
        if stat.S_ISREG(file.mode):
            block, units = archive.block_of(file), file.start >> shift
            gap = units - expected.get(block, 0)
            blocks.append(block)
            gaps.append(2 * gap if gap >= 0 else -2 * gap - 1)
            expected[block] = units + -(-file.size >> shift) + 1
    columns = (
        [len(name) for name, _, _ in page.entries],
        lags,
        [file.mode for file in page.inodes],
        [file.links for file in page.inodes],
        [file.mtime % (1 << 64) for file in page.inodes],
        [len(file.target) if stat.S_ISLNK(file.mode) else file.size for file in page.inodes],
        blocks,
        gaps,
    )
    names = [name for name, _, _ in page.entries]
    return b"".join((*map(column, columns), *names, *(file.target for file in page.inodes)))


def column(numbers: Sequence[int]) -> bytes:
    largest = max(numbers, default=0)
    width = next(width for width in (1, 2, 4, 8) if largest < 1 << 8 * width)
    return bytes((width,)) + b"".join(number.to_bytes(width, "little") for number in numbers)


def section(content: bytes) -> bytes:
    """Return *content* deflated in stored blocks (RFC 1950; RFC 1951, 3.2.4), with its sizes."""
    deflated = b"\x78\x01"
    pieces = [content[start : start + 0xFFFF] for start in range(0, len(content), 0xFFFF)] or [b""]
    for place, piece in enumerate(pieces, 1):
        deflated += bytes((place == len(pieces),))
        deflated += struct.pack("<HH", len(piece), len(piece) ^ 0xFFFF) + piece
    deflated += zlib.adler32(content).to_bytes(4, "big")
    return struct.pack("<II", len(content), len(deflated)) + deflated
