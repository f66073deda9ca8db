"""The members of an archive, in order, by the fastest reader that can read them.

OrdinaryMembers reads a tar up to the first member whose headers are not ordinary. libarchive reads
the rest, and all other formats.
"""

from __future__ import annotations

from contextlib import closing, contextmanager

from kheadersfs.archive.feeding import Feed
from kheadersfs.archive.library_members import LibraryMembers
from kheadersfs.archive.ordinary_members import OrdinaryMembers
from kheadersfs.archive.tar.writing import symlink_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.entries import Buffer
    from kheadersfs.archive.member import Files, Member
    from kheadersfs.archive.source import Source


class MemberStream:
    """The members in *source*. The content of each can be read before the next step only."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reader: OrdinaryMembers | LibraryMembers = OrdinaryMembers(source)

    def __iter__(self) -> Iterator[Member | Files]:
        """Step through the members; files may come many at once, with their content.

        Raises DamagedArchive, and UnsupportedArchive when the format is neither tar nor cpio.
        """
        ordinary = OrdinaryMembers(self._source)
        self._reader = ordinary
        yield from ordinary
        if not ordinary.ended:
            yield from self._read_by_libarchive(ordinary)

    def _read_by_libarchive(self, ordinary: OrdinaryMembers) -> Iterator[Member]:
        """Step through the members behind the *ordinary* ones.

        How libarchive reads some headers depends on the form of those before, GNU's or POSIX's, and
        on whether there was a link among them. So it gets the header of a link in the same form
        first, which is skipped here.
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
        """The format of the archive: "tar" or "cpio".

        Raises UnsupportedArchive for cpio's old binary format.
        """
        return self._reader.format

    def read_into(self, buffer: Buffer, offset: int, length: int) -> None:
        """Read the current member's next *length* bytes into *buffer* at *offset*.

        Holes of sparse files read as zeros. Raises DamagedArchive when there are fewer bytes.
        """
        self._reader.read_into(buffer, offset, length)

    def note_on_end(self) -> str:
        """Return a note on the end of the archive, once all members were read; see ending.py.

        Raises what the source raises.
        """
        return self._reader.note_on_end()

    def close(self) -> None:
        """Free what the reader holds. The stream cannot be used afterwards."""
        self._reader.close()


@contextmanager
def open_members(source: Source) -> Iterator[MemberStream]:
    """Open *source*, which is decompressed, as a stream of members that the block's end closes."""
    with closing(MemberStream(source)) as stream:
        yield stream
