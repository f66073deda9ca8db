"""The members of an archive as one stream, whoever reads it.

What begins as an ordinary tar is read here. From the first member on that is not ordinary, it is
libarchive that reads the rest.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from kheadersfs.archive.feeding import Feed
from kheadersfs.archive.library_members import LibraryMembers
from kheadersfs.archive.ordinary_members import OrdinaryMembers
from kheadersfs.archive.tar.writing import symlink_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.entries import Buffer
    from kheadersfs.archive.member import EmptyFiles, Member
    from kheadersfs.archive.source import Source


class MemberStream:
    """The members, of which the content of each can be read until the next step."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reader: OrdinaryMembers | LibraryMembers = OrdinaryMembers(source)

    def __iter__(self) -> Iterator[Member | EmptyFiles]:
        """Step through the members. Raises DamagedArchive.

        Raises UnsupportedArchive when there is neither tar nor cpio inside.
        """
        ordinary = OrdinaryMembers(self._source)
        self._reader = ordinary
        yield from ordinary
        if not ordinary.ended:
            yield from self._read_by_libarchive(ordinary)

    def _read_by_libarchive(self, ordinary: OrdinaryMembers) -> Iterator[Member]:
        """Step through what is behind the *ordinary* members.

        What libarchive makes of an odd one depends on the form of those before it, and on whether
        one was a link. So it gets a link in the same form first.
        """
        begun = ordinary.read > len(ordinary.unread)
        ahead = symlink_header(ordinary.is_pax) if begun else b""
        self._reader = library = LibraryMembers(
            Feed(self._source, ordinary.read, ahead + ordinary.unread)
        )
        members = iter(library)
        if begun:
            next(members)
        yield from members

    @property
    def format(self) -> str:
        """Which of the two formats the archive is written in: "tar" or "cpio".

        Raises UnsupportedArchive for cpio's old format.
        """
        return self._reader.format

    def read_into(self, buffer: Buffer, offset: int, length: int) -> None:
        """Put the current member's next *length* bytes into *buffer* at *offset*.

        Holes of sparse files come as zeros. Raises DamagedArchive when there are fewer.
        """
        self._reader.read_into(buffer, offset, length)

    def note_on_end(self) -> str:
        """Return what is odd about how the archive ends, of which all members were read.

        Raises what the source raises.
        """
        return self._reader.note_on_end()

    def close(self) -> None:
        """Give back what the reader holds. The stream cannot be used afterwards."""
        self._reader.close()


@contextmanager
def open_members(source: Source) -> Iterator[MemberStream]:
    """Open *source*, which is not compressed, as a stream of members."""
    with closing(MemberStream(source)) as stream:
        yield stream
