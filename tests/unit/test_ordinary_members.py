"""What is read of an ordinary tar without libarchive is what libarchive reads."""

from __future__ import annotations

import io
import random
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.archive.entries import new_buffer
from kheadersfs.archive.feeding import Feed
from kheadersfs.archive.library_members import LibraryMembers
from kheadersfs.archive.member import Files
from kheadersfs.archive.members import MemberStream
from kheadersfs.archive.ordinary_members import OrdinaryMembers
from kheadersfs.archive.source import BytesSource
from kheadersfs.archive.tar.fields import BLOCK
from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kheadersfs.archive.member import Member

CHECKSUM = slice(148, 156)
UNUSED_NUMBERS = (*range(108, 124), *range(329, 345))
"""Of the owner and the device: libarchive wants them to be numbers in the first header alone."""
FORMATS = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}
LONG = "directory/" * 12 + "file"
SPLIT = "d" * 60 + "/" + "f" * 60


class Seen(NamedTuple):
    """What a reader makes of an archive: its *error* is that of the member behind the last one."""

    members: list[tuple[Member, bytes]]
    note: str
    error: type[Exception] | None


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.mtime = kind, 1_700_000_000
    for field, value in fields.items():
        setattr(found, field, value)
    return found


def members_of(form: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    plain = [
        (member("d", tarfile.DIRTYPE, mode=0o755), b""),
        (member("d/soft", tarfile.SYMTYPE, linkname="file"), b""),
        (member("d/empty"), b""),
        (member("d/empty-too", mode=0o600), b""),
        (member("d/empty-later", mtime=1_700_000_001), b""),
        (member("d/file", mode=0o100640, uid=1000, uname="somebody"), b"content\n" * 90),
        (member("d/hard", tarfile.LNKTYPE, linkname="d/file"), b""),
        (member(SPLIT), b"x"),
    ]
    if form == "ustar":
        return [*plain, (member("d/\udce4", mtime=0), b"a name that is not UTF-8")]
    long = [
        (member(LONG), b"long"),
        (member("d/to-long", tarfile.SYMTYPE, linkname=LONG), b""),
    ]
    if form == "pax":
        long.append((member("d/time", mtime=1_700_000_000.25), b"time"))
    return [*plain, *long, (member("last"), b"l" * BLOCK)]


def tar_of(form: str) -> bytes:
    file = io.BytesIO()
    headers = {"comment": "0123456789abcdef"} if form == "pax" else {}
    with tarfile.open(fileobj=file, mode="w", format=FORMATS[form], pax_headers=headers) as tar:
        for entry, content in members_of(form):
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def each_of(entries: Iterable[Member | Files]) -> Iterator[tuple[Member, bytes | None]]:
    """Yield each member, with its content if that has been read already."""
    for entry in entries:
        if isinstance(entry, Files):
            for number in range(len(entry.names)):
                start = entry.offsets[number]
                yield entry.member(number), entry.piece[start : start + entry.sizes[number]]
        else:
            yield entry, None


def seen(stream: MemberStream | LibraryMembers) -> Seen:
    buffer = new_buffer(1 << 16)
    members: list[tuple[Member, bytes]] = []
    try:
        for entry, content in each_of(stream):
            if content is None:
                length = min(entry.size, len(buffer))
                stream.read_into(buffer, 0, length)
                content = buffer.raw[:length]
            # Nobody looks at the mode of a hard link.
            told = entry._replace(mode=0) if entry.hard_link else entry
            members.append((told, content))
        return Seen(members, stream.note_on_end(), None)
    except KheadersfsError as error:
        return Seen(members, "", type(error))


def seen_by_us(tar: bytes) -> Seen:
    with closing(MemberStream(BytesSource(tar))) as stream:
        return seen(stream)


def seen_by_libarchive(tar: bytes) -> Seen:
    try:
        stream = LibraryMembers(Feed(BytesSource(tar)))
    except KheadersfsError as error:
        return Seen([], "", type(error))
    with closing(stream):
        return seen(stream)


def headers_of(tar: bytes) -> list[int]:
    """Return where the headers of *tar* begin."""
    positions, position = [], 0
    while tar[position]:
        positions.append(position)
        size = int(tar[position + 124 : position + 135], 8)
        position += BLOCK + -(-size // BLOCK) * BLOCK
    return positions


def with_checksum(header: bytes) -> bytes:
    blank = header[: CHECKSUM.start] + b" " * 8 + header[CHECKSUM.stop :]
    return blank[: CHECKSUM.start] + b"%06o\0 " % sum(blank) + blank[CHECKSUM.stop :]


@pytest.mark.parametrize("form", FORMATS)
def test_an_ordinary_tar_is_read_to_its_end_without_libarchive(form: str) -> None:
    tar = tar_of(form)
    ordinary = OrdinaryMembers(BytesSource(tar))
    assert len(list(each_of(ordinary))) == len(members_of(form))
    assert ordinary.ended
    assert seen_by_us(tar) == seen_by_libarchive(tar)
    assert seen_by_us(tar).error is None


@pytest.mark.parametrize("form", FORMATS)
def test_a_tar_that_is_cut_anywhere_is_what_it_is_to_libarchive(form: str) -> None:
    tar = tar_of(form)
    for position in headers_of(tar):
        for end in {position + step for step in (0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 5)}:
            assert seen_by_us(tar[:end]) == seen_by_libarchive(tar[:end]), end


@pytest.mark.parametrize("form", FORMATS)
def test_an_altered_header_is_what_it_is_to_libarchive(form: str) -> None:
    tar = tar_of(form)
    choice = random.Random(form)
    for position in headers_of(tar):
        for _ in range(150):
            at, value = choice.randrange(BLOCK), choice.choice(b"\0 /019x\xff")
            if position == 0 and at in UNUSED_NUMBERS:
                continue
            header = tar[position : position + BLOCK]
            header = header[:at] + bytes((value,)) + header[at + 1 :]
            for altered in (header, with_checksum(header)):
                changed = tar[:position] + altered + tar[position + BLOCK :]
                assert seen_by_us(changed) == seen_by_libarchive(changed), (position, at, value)
