"""Reads an archive without an index in one pass, from front to back, and holds its content.

The content is held in blocks of a fixed size. They are compressed while the pass waits for the
decoder; see blocks/compressing.py. So they take about as much memory as the compressed archive, and
the code that serves packed archives serves them too. They may be released: another pass then makes
the same blocks again.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial

from kheadersfs.archive.blocks.compressing import BlockCompressor
from kheadersfs.archive.compression.decoding import DecodedStream, open_stream
from kheadersfs.archive.compression.piped_stream import WriterGone
from kheadersfs.archive.cpio.sums import CpioSums
from kheadersfs.archive.ending import NO_END_MARKER
from kheadersfs.archive.entries import new_buffer
from kheadersfs.archive.member import Files
from kheadersfs.archive.members import MemberStream, open_members
from kheadersfs.archive.names.building import Refusal, TableBuilder
from kheadersfs.archive.names.neighbours import are_plain
from kheadersfs.archive.source import Source
from kheadersfs.archive.tar.fields import BLOCK, may_be_packed
from kheadersfs.archive.threads import sharing_soon
from kheadersfs.errors import DamagedArchive, UnreadableArchive, damaged, without_members
from kheadersfs.limits import Meter
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.blocks.held import HeldBlocks
    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.opening import Archive
    from kheadersfs.limits import Limits

HELD_BLOCK_SIZE = 64 << 10
"""Bytes of content in each block that is held.

A build decodes the blocks that its headers are in: 183 of 404 blocks of this size, which have 12 MB
of content. Of blocks four times as large it would decode 61 of 101, with 16 MB. Decoding a block
takes 0.1 ms. Small blocks compress less well: these take 4 % more memory than the large ones would.
"""


class Pass(Record):
    """The result of a pass: the table of names, the blocks of content, and what was left out.

    ``refusals`` are members that were left out. ``format`` is "tar" or "cpio". ``damage`` says why
    members may be missing from the table, empty if none are. ``absolute`` is the number of names
    and targets of hard links that had a leading slash. ``ending`` is a note on an odd end, or
    empty. ``extent`` is the number of decompressed bytes that were read, from the first on.
    """

    table: Table
    blocks: HeldBlocks
    refusals: list[Refusal]
    format: str
    damage: str
    absolute: int
    ending: str
    extent: int


class _MeteredSource(Source):
    """A source that is read once, in order, and checks limits and cpio's checksums meanwhile."""

    __slots__ = ("_meter", "_source", "_sums", "extent", "head")

    def __init__(self, source: Source, meter: Meter) -> None:
        super().__init__(source.name, source.size)
        self._source = source
        self._meter = meter
        self._sums = CpioSums()
        self.head = b""
        """The first bytes of the archive, at most a block of tar."""
        self.extent = 0
        """The number of bytes that were read."""

    def available(self, offset: int, limit: int) -> int:
        """See Source.available."""
        return self._source.available(offset, limit)

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at. Raises RefusedArchive, DamagedArchive."""
        self._meter.count(length)
        piece = self._source.read_at(offset, length)
        self.extent = offset + length
        self.head = self.head or piece[:BLOCK]
        try:
            self._sums.follow(piece)
        except ValueError as error:
            raise DamagedArchive(
                f"{self.name}: is damaged ({error}); make or fetch it again"
            ) from error
        return piece


class _ContentWriter:
    """Fills blocks of HELD_BLOCK_SIZE with the content of one member after the other.

    *check* is called after each block, and may raise RefusedArchive.
    """

    def __init__(self, compressor: BlockCompressor, check: Callable[[], None]) -> None:
        self._compressor = compressor
        self._check = check
        self._buffer = new_buffer(HELD_BLOCK_SIZE)
        self._filled = 0
        self.position = 0
        """Offset of the next byte in the stream that all blocks make up."""

    def write(self, files: Files, first: int, end: int) -> None:
        """Put the contents of *files* from the *first* to before *end* into the blocks."""
        piece, into = memoryview(files.piece), memoryview(self._buffer).cast("B")
        for offset, size in zip(files.offsets[first:end], files.sizes[first:end], strict=True):
            while size:
                length = min(size, HELD_BLOCK_SIZE - self._filled)
                into[self._filled : self._filled + length] = piece[offset : offset + length]
                offset += length
                size -= length
                self._count(length)

    def copy(self, stream: MemberStream, size: int) -> None:
        """Read the content of the current member, *size* bytes, into the blocks."""
        while size:
            length = min(size, HELD_BLOCK_SIZE - self._filled)
            stream.read_into(self._buffer, self._filled, length)
            size -= length
            self._count(length)

    def _count(self, length: int) -> None:
        """Take note that the buffer has *length* bytes more, and flush it when it is full."""
        self._filled += length
        self.position += length
        if self._filled == HELD_BLOCK_SIZE:
            self.flush()
            self._check()

    def flush(self) -> None:
        """Hand what is in the buffer to the compressor as a block."""
        if self._filled:
            self._compressor.put(bytes(memoryview(self._buffer)[: self._filled]))
            self._filled = 0


def read_in_one_pass(archive: Archive, ahead: DecodedStream | None = None) -> Pass:
    """Read all of *archive*; *ahead* is what it decodes to, if somebody decodes it already.

    If its blocks can be checked one by one, the members in front of a damaged block are returned,
    with ``damage``. Otherwise nothing is returned before the last byte was read and every checksum
    was right. Raises DamagedArchive, UnsupportedArchive, RefusedArchive.
    """
    try:
        result = _read_once(archive, ahead)
    except WriterGone:  # whatever became of him: what he has done can be done here
        result = _read_once(archive, None)
    result.blocks.allow_release(lambda: _read_once(archive, None).blocks)
    return result


def _read_once(archive: Archive, ahead: DecodedStream | None) -> Pass:
    source = archive.source
    meter = Meter(source.name, source.size, archive.limits)
    with closing(BlockCompressor()) as compressor:
        if archive.is_plain:
            return _read_members(source, meter, compressor, None, keep_on_damage=False)
        stream = ahead or open_stream(archive.source, archive.kind, archive.blocks, archive.limits)
        return _read_compressed(archive, stream, meter, compressor)


def _read_compressed(
    archive: Archive, stream: DecodedStream, meter: Meter, compressor: BlockCompressor
) -> Pass:
    with closing(stream) as decoded, sharing_soon():
        decoded.meanwhile = compressor.work
        cuttable = archive.blocks if archive.kind.hides_cuts else None
        verified = decoded.verified
        result = _read_members(decoded, meter, compressor, cuttable, keep_on_damage=verified)
        if not decoded.verified:
            for size in decoded.finish():
                meter.count(size)
    return result


def _read_members(
    source: Source,
    meter: Meter,
    compressor: BlockCompressor,
    cuttable: BlockTable | None,
    keep_on_damage: bool,
) -> Pass:
    """Read the members in *source*, which is decompressed, and hold their content.

    *cuttable* are the blocks of a file, if that would look complete when it is cut off between two
    blocks; None if it would not. With *keep_on_damage*, members in front of damage are returned.
    """
    builder = TableBuilder(source.name, meter.limits)
    check_memory = partial(_check_memory, source.name, meter.limits, builder, compressor)
    writer = _ContentWriter(compressor, check_memory)
    metered = _MeteredSource(source, meter)
    damage = ending = ""
    with open_members(metered) as stream:
        try:
            for member in stream:
                if isinstance(member, Files):
                    _add_files(member, builder, writer)
                    check_memory()
                elif builder.add(member, writer.position):
                    writer.copy(stream, member.size)
                    check_memory()
            ending = _note_on_end(stream, keep_on_damage)
            if ending == NO_END_MARKER and cuttable and _may_be_cut(cuttable, metered.head):
                raise damaged(source.name, "it has no end marker")
        except DamagedArchive as error:
            # A file that cannot be read now is not damaged: the next attempt may read all of it.
            if not keep_on_damage or isinstance(error, UnreadableArchive):
                raise
            damage = str(error)
            builder.forget_incomplete(writer.position)
        writer.flush()
        blocks = compressor.blocks(source.name)
        format_name = stream.format
    if builder.members == 0:
        raise DamagedArchive(damage) if damage else without_members(source.name)
    return Pass(
        builder.build(),
        blocks,
        builder.refusals,
        format_name,
        damage,
        builder.absolute,
        ending,
        metered.extent,
    )


def _add_files(files: Files, builder: TableBuilder, writer: _ContentWriter) -> None:
    """Add *files*, which come with their content, as if each came for itself."""
    added, count, plain = 0, len(files.names), are_plain(files)
    while added < count:
        end = added
        if plain:
            end += builder.add_neighbours(files, added, writer.position)
            writer.write(files, added, end)
        if end < count and builder.add(files.member(end), writer.position):
            writer.write(files, end, end + 1)
        added = end + 1


def _check_memory(
    archive: str, limits: Limits, builder: TableBuilder, compressor: BlockCompressor
) -> None:
    """Raise RefusedArchive when names and compressed content take more memory than allowed.

    If content that waits to be compressed would take too much, it is compressed first.
    """
    held = builder.text_size + compressor.held
    if held + compressor.waiting > limits.memory:
        while compressor.work():
            pass
        held = builder.text_size + compressor.held
    limits.check(archive, "memory", held)


def _note_on_end(stream: MemberStream, keep_on_damage: bool) -> str:
    """Return a note on the end of the archive of *stream*, empty if nothing is odd; see ending.py.

    With *keep_on_damage*, damage behind the last member is ignored.
    """
    try:
        return stream.note_on_end()
    except DamagedArchive:
        if not keep_on_damage:
            raise
        return ""  # nothing that is served is there, and verify reports the damage


def _may_be_cut(blocks: BlockTable, head: bytes) -> bool:
    """Tell whether the file may have had more blocks than *blocks*.

    *head* is what the first of them begins with. If there is only one, the file may be the start of
    a packed archive, if pack may have written that header.
    """
    return len(blocks) > 1 or may_be_packed(head)
