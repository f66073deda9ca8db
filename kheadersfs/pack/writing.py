"""From members in their final order to an archive: blocks, end marker, index.

Blocks are cut at member boundaries and compressed in threads. Their bytes depend on the members
and the layout alone, not on how many threads there are.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive import index as embedded
from kheadersfs.archive import xz, zstd
from kheadersfs.archive.building import TableBuilder
from kheadersfs.archive.members import Member
from kheadersfs.errors import KheadersfsError
from kheadersfs.pack import framing
from kheadersfs.pack.output import complete_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from typing import BinaryIO

SEEKABLE = ("xz", "zstd")
XZ_PRESET = 6
ZSTD_LEVEL = 19
GZIP_LEVEL = 9
_GZIP_WINDOW = 31  # the largest window, with gzip's header, whose time zlib leaves zero


class Tier(NamedTuple):
    """Blocks of up to ``block_size`` bytes, for all that begins before ``end`` in the stream."""

    end: int
    block_size: int


class Layout(NamedTuple):
    """How the stream is cut: tiers from its start, the last one for the rest.

    ``hot_size`` is how many bytes from the start most builds read.
    """

    hot_size: int
    tiers: tuple[Tier, ...]


class Packed(NamedTuple):
    """A member to write and how to get its content, which is asked for once, in order."""

    member: Member
    read: Callable[[], bytes]


class Description(NamedTuple):
    """What an archive is to say of itself: kernel release and SRCARCH, empty when unknown."""

    release: str
    arch: str


class Form(NamedTuple):
    """How to write: "tar" or "cpio"; "xz", "zstd", "gzip" or "none"; and the layout of blocks."""

    format: str
    compression: str
    layout: Layout


class _Block(NamedTuple):
    stored: bytes
    unpadded_size: int
    decoded_size: int


def write_archive(
    path: str,
    members: Sequence[Packed],
    form: Form,
    description: Description,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    threads: int = 0,
) -> None:
    """Write *members* in the order given as an archive to *path*.

    Directories must come before what is in them, and hard links after what they link to.
    *progress* is called with bytes done and bytes there are; *threads* is 0 for one per
    processor. *path* is replaced when the archive is complete. Raises KheadersfsError.
    """
    writer = _Writer(members, form, progress)
    with complete_file(path) as file:
        if form.compression in SEEKABLE:
            _write_blocks(file, writer, form.compression, description, threads or os.cpu_count())
        elif form.compression == "gzip":
            compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
            for block in writer.blocks():
                file.write(compressor.compress(block))
            file.write(compressor.flush())
        else:
            for block in writer.blocks():
                file.write(block)


def _write_blocks(
    file: BinaryIO, writer: _Writer, compression: str, description: Description, threads: int | None
) -> None:
    """Write the blocks, compressed one by one, the index as the last one, and the framing."""
    encode = _encode_xz if compression == "xz" else _encode_zstd
    if compression == "xz":
        file.write(xz.stream_start())
    written: list[tuple[int, int]] = []
    stored_sizes: list[tuple[int, int]] = []
    digests: list[bytes] = []

    def put(block: _Block) -> None:
        file.write(block.stored)
        written.append((block.unpadded_size, block.decoded_size))
        stored_sizes.append((len(block.stored), block.decoded_size))

    for block in _encode_in_threads(writer.blocks(), encode, threads):
        put(block)
        digests.append(hashlib.sha256(block.stored).digest())
    index = embedded.Index(
        table=writer.builder.build(),
        release=description.release,
        arch=description.arch,
        digests=digests,
        hot_blocks=writer.hot_blocks,
        stream_size=writer.position,
    )
    payload = embedded.encode(index, writer.block_starts)
    # The whole stream is a multiple of tar's record, index and all, as tar expects it.
    padding = bytes(-(writer.position + len(payload)) % framing.TAR_RECORD)
    put(encode(padding + payload))
    file.write(
        xz.stream_end(written) if compression == "xz" else zstd.encode_seek_table(stored_sizes)
    )


def _encode_in_threads(
    contents: Iterator[bytes], encode: Callable[[bytes], _Block], threads: int | None
) -> Iterator[_Block]:
    """Yield the encoded *contents* in their order, keeping *threads* busy and little in memory."""
    under_way: deque[Future[_Block]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for content in contents:
            under_way.append(pool.submit(encode, content))
            if len(under_way) > 2 * (threads or 1):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _encode_xz(content: bytes) -> _Block:
    return _Block(*xz.encode_block(content, XZ_PRESET))


def _encode_zstd(content: bytes) -> _Block:
    stored = zstd.encode_frame(content, ZSTD_LEVEL)
    return _Block(stored, len(stored), len(content))


class _Writer:
    """Turns members into the contents of blocks, and notes where everything went."""

    def __init__(
        self, members: Sequence[Packed], form: Form, progress: Callable[[int, int], None]
    ) -> None:
        self.builder = TableBuilder()
        self.position = 0
        """Offset in the stream behind the last block."""
        self.block_starts: list[int] = []
        self.hot_blocks = 0
        self._members = members
        self._layout = form.layout
        self._frames = _TarFrames() if form.format == "tar" else _NewcFrames(members)
        self._progress = progress
        self._done = 0
        self._total = sum(packed.member.size for packed in members)

    def blocks(self) -> Iterator[bytes]:
        """Yield the content of one block after the other, the end marker in the last."""
        pending: list[Packed] = []
        size = 0
        for packed in self._members:
            length = framing.TAR_BLOCK + packed.member.size
            if pending and size + length > self._block_size():
                yield self._close(pending)
                pending, size = [], 0
            pending.append(packed)
            size += length
        yield self._close(pending, last=True)

    def _close(self, pending: list[Packed], last: bool = False) -> bytes:
        """Return the content of a block of *pending* members.

        Within a block the order is free, and this one compresses best: neighbours in the tree
        are alike, and the index expects them like that.
        """
        pieces: list[bytes] = []
        start = position = self.position
        for packed in sorted(pending, key=_place_in_block):
            member, header, content = self._frames.frame(packed)
            if not self.builder.add(member, position + len(header)):
                raise KheadersfsError(str(self.builder.refusals[-1]))
            pieces += (header, content)
            position += len(header) + len(content)
            self._done += packed.member.size
            self._progress(self._done, self._total)
        if last:
            end = self._frames.end(position)
            pieces.append(end)
            position += len(end)
        if start < self._layout.hot_size:
            self.hot_blocks += 1
        self.block_starts.append(start)
        self.position = position
        return b"".join(pieces)

    def _block_size(self) -> int:
        """Return the limit of the block that begins at the current position."""
        tiers = self._layout.tiers
        return next((tier for tier in tiers if self.position < tier.end), tiers[-1]).block_size


def _place_in_block(packed: Packed) -> tuple[bool, int, list[bytes]]:
    """Return what orders members as the table numbers them: directories level by level.

    Hard links come last, behind what they link to.
    """
    components = packed.member.name.split(b"/")
    return packed.member.hard_link, len(components), components


class _TarFrames:
    """Members as tar writes them."""

    def frame(self, packed: Packed) -> tuple[Member, bytes, bytes]:
        """Return the member as written, its header, and its padded content."""
        member = packed.member
        content = b""
        if stat.S_ISREG(member.mode) and not member.hard_link:
            content = _content(packed)
        return member, framing.tar_header(member), framing.padded(content, framing.TAR_BLOCK)

    def end(self, position: int) -> bytes:
        """Return the end marker for a stream of *position* bytes, up to a whole record."""
        marker = 2 * framing.TAR_BLOCK
        return bytes(marker + -(position + marker) % framing.TAR_RECORD)


class _NewcFrames:
    """Members as newc cpio writes them: of hard links the last one has the content."""

    def __init__(self, members: Sequence[Packed]) -> None:
        self._links = Counter(self._first_name(packed.member) for packed in members)
        self._left = Counter(self._links)
        self._first = {packed.member.name: packed for packed in members}
        self._numbers: dict[bytes, int] = {}

    @staticmethod
    def _first_name(member: Member) -> bytes:
        return member.target or b"" if member.hard_link else member.name

    def frame(self, packed: Packed) -> tuple[Member, bytes, bytes]:
        """See _TarFrames.frame."""
        first = self._first_name(packed.member)
        number = self._numbers.setdefault(first, len(self._numbers) + 1)
        self._left[first] -= 1
        original = self._first[first]
        member = original.member._replace(name=packed.member.name)
        content = b""
        if stat.S_ISLNK(member.mode):
            content = member.target or b""
        elif stat.S_ISREG(member.mode) and not self._left[first]:
            content = _content(original)
        links = 2 if stat.S_ISDIR(member.mode) else self._links[first]
        header = framing.newc_header(member, number, links, len(content))
        written = packed.member._replace(
            size=len(content), mtime=member.mtime // 1_000_000_000 * 1_000_000_000
        )
        return written, header, framing.padded(content, 4)

    def end(self, position: int) -> bytes:
        """See _TarFrames.end; cpio reads blocks of 512 bytes."""
        end = framing.NEWC_TRAILER
        return end + bytes(-(position + len(end)) % framing.TAR_BLOCK)


def _content(packed: Packed) -> bytes:
    content = packed.read()
    if len(content) != packed.member.size:
        name = os.fsdecode(packed.member.name)
        raise KheadersfsError(
            f"{name}: has {len(content)} bytes where {packed.member.size} were announced: "
            "it changed while it was packed; pack again"
        )
    return content
