"""Cut portions of members into blocks, and note where each will be, before any content is read."""

from __future__ import annotations

import os
import stat
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from kheadersfs.archive.cpio import writing as cpio
from kheadersfs.archive.cpio.fields import ALIGNMENT
from kheadersfs.archive.digits import aligned
from kheadersfs.archive.names.building import TableBuilder
from kheadersfs.archive.tar import writing as tar
from kheadersfs.archive.tar.fields import BLOCK
from kheadersfs.errors import KheadersfsError, RefusedArchive
from kheadersfs.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kheadersfs.archive.member import Member
    from kheadersfs.archive.names.table import Table
    from kheadersfs.limits import Limits
    from kheadersfs.pack.layout import Packed, Portion

NEW_ARCHIVE = "the new archive"
"""What it is called in messages about what would be in it."""


class Frame(NamedTuple):
    """A member as it is written: header, content, zeros up to *size* bytes in all.

    ``member`` is what a reader of the archive finds. ``read`` is None when there is no content.
    """

    member: Member
    header: bytes
    read: Callable[[], bytes] | None
    size: int

    def content(self) -> bytes:
        """Return the bytes. Raises KheadersfsError when the content has not its size."""
        content = self.read() if self.read is not None else b""
        if self.read is not None and len(content) != self.member.size:
            raise KheadersfsError(
                f"{os.fsdecode(self.member.name)}: has {len(content)} bytes where "
                f"{self.member.size} were announced: it changed while it was packed; pack again"
            )
        return self.header + content + bytes(self.size - len(self.header) - len(content))


class Block(NamedTuple):
    """Frames from *start* of the stream on, *size* bytes with the end marker that may follow."""

    start: int
    size: int
    frames: list[Frame]
    end: bytes

    def content(self) -> bytes:
        """Return the bytes. Raises KheadersfsError."""
        return b"".join([*(frame.content() for frame in self.frames), self.end])

    def ending(self, end: bytes) -> Self:
        """Return the block with the archive's *end* marker behind it."""
        return self._replace(size=self.size + len(end), end=end)


class PlannedBlock(Protocol):
    """A block of which start and size are known before its content is made."""

    @property
    def start(self) -> int:
        """Where it begins in the stream."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def content(self) -> bytes:
        """Return the bytes. Raises KheadersfsError."""

    def ending(self, end: bytes) -> Self:
        """Return the block with the archive's *end* marker behind it."""


class Plan(NamedTuple):
    """What to write: the blocks, and the table for the index.

    The first ``hot_blocks`` have what most builds read. ``size`` is that of all blocks, in bytes.
    """

    blocks: list[Block]
    hot_blocks: int
    size: int
    table: Table


def plan_blocks(
    portions: Sequence[Portion], format_name: str, limits: Limits = DEFAULT_LIMITS
) -> Plan:
    """Return the blocks of an archive with the members of *portions* in *format_name*.

    The first portion is the hot one. Raises RefusedArchive for a member that cannot be written, and
    for more than *limits* let anybody read.
    """
    members = [packed for portion in portions for packed in portion.members]
    frame = tar_frame if format_name == "tar" else _NewcFrames(members).frame
    builder = TableBuilder(NEW_ARCHIVE, limits)
    blocks: list[Block] = []
    hot_blocks = position = 0
    for portion in portions:
        for group in cut(portion):
            start = position
            frames = [frame(packed) for packed in sorted(group, key=place_in_block)]
            for framed in frames:
                builder.add(framed.member, position + len(framed.header))
                if builder.refusals:
                    raise RefusedArchive(f"{builder.refusals[-1]}; it cannot be packed")
                position += framed.size
            blocks.append(Block(start, position - start, frames, b""))
        hot_blocks = hot_blocks or len(blocks)
    end = tar.end_marker(position) if format_name == "tar" else cpio.end_marker(position)
    if not blocks:
        raise KheadersfsError("there is nothing to put into an archive")
    blocks[-1] = blocks[-1].ending(end)
    return Plan(blocks, hot_blocks, position + len(end), builder.build())


def own_name(packed: Packed) -> bytes:
    """Return what no other member has."""
    return packed.member.name


def cut(
    portion: Portion, path_of: Callable[[Packed], bytes | None] = own_name
) -> Iterator[list[Packed]]:
    """Yield the members of *portion* in groups, one for each block.

    What has the path of what comes before it, or none at all, stays in its block as long as the
    largest one has room.
    """
    group: list[Packed] = []
    position = size = 0
    before = None
    for packed in portion.members:
        length = BLOCK + aligned(packed.member.size, BLOCK)
        path = path_of(packed)
        stays = path in (None, before)
        if group and size + length > (
            portion.largest_block if stays else portion.block_size(position)
        ):
            yield group
            position += size
            group, size = [], 0
        group.append(packed)
        size += length
        before = before if path is None else path
    if group:
        yield group


def place_in_block(packed: Packed) -> tuple[bool, int, list[bytes]]:
    """Return what orders members as the index numbers them: directories level by level.

    Within a block the order is free, and this one compresses best: neighbours in the tree
    are alike, and the index expects them like that. Hard links come last, behind what they
    link to.
    """
    components = packed.member.name.split(b"/") if packed.member.name else []
    return packed.member.hard_link, len(components), components


def tar_frame(packed: Packed) -> Frame:
    """Return *packed* as tar writes it."""
    member = packed.member
    header = tar.header(member)
    if member.hard_link or not stat.S_ISREG(member.mode) or not member.size:
        return Frame(member, header, None, len(header))
    size = len(header) + aligned(member.size, BLOCK)
    return Frame(member, header, packed.read, size)


class _NewcFrames:
    """Members as newc cpio writes them: of hard links the last one has the content."""

    def __init__(self, members: Sequence[Packed]) -> None:
        self._links = Counter(_first_name(packed.member) for packed in members)
        self._left = Counter(self._links)
        self._first = {packed.member.name: packed for packed in members}
        self._numbers: dict[bytes, int] = {}

    def frame(self, packed: Packed) -> Frame:
        """Return *packed*; call this for every member, in order."""
        first = _first_name(packed.member)
        number = self._numbers.setdefault(first, len(self._numbers) + 1)
        self._left[first] -= 1
        original = self._first[first]
        inode = original.member
        links, size = self._links[first], 0
        read: Callable[[], bytes] | None = None
        if stat.S_ISDIR(inode.mode):
            links = 2
        elif stat.S_ISLNK(inode.mode):
            target = inode.target or b""
            read, size = partial(bytes, target), len(target)
        elif inode.size and not self._left[first]:
            read, size = original.read, inode.size
        inode = inode._replace(name=packed.member.name)
        header = cpio.header(inode, number, links, size)
        member = packed.member._replace(size=size)
        whole = len(header) + aligned(size, ALIGNMENT)
        return Frame(member, header, read, whole)


def _first_name(member: Member) -> bytes:
    return member.target or b"" if member.hard_link else member.name
