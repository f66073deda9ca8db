"""The members of a tar as one stream, as long as its headers are ordinary; see tar/ordinary.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.digits import aligned
from kheadersfs.archive.ending import note_on_end
from kheadersfs.archive.feeding import next_piece
from kheadersfs.archive.tar.fields import BLOCK, MAGIC, USTAR
from kheadersfs.archive.tar.ordinary import (
    empty_files_at,
    extension_size,
    member_of,
    note_extension,
)
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kheadersfs.archive.entries import Buffer
    from kheadersfs.archive.member import EmptyFiles, Member
    from kheadersfs.archive.source import Source

_ZEROS = bytes(BLOCK)
_NOTHING_SAID: Mapping[bytes, bytes] = {}


class OrdinaryMembers:
    """The members, of which the content of each can be read until the next step."""

    format = "tar"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._piece = b""
        self._offset = 0
        """In the piece, of what is to be looked at next."""
        self._left = 0
        """How many bytes there are still from there to the next header."""
        self.read = 0
        """How many bytes of the source were read."""
        self.is_pax = False
        """Whether the last extension was one of POSIX."""
        self.ended = False
        """Whether there are no more members; otherwise the next one is not ordinary."""

    def __iter__(self) -> Iterator[Member | EmptyFiles]:
        """Step through the members, to the end or to one that is not ordinary.

        Raises DamagedArchive when the archive ends in the middle of a member.
        """
        while True:
            if self._left:
                self._skip()
            header = self._piece[self._offset : self._offset + BLOCK]
            member = member_of(header, _NOTHING_SAID) if len(header) == BLOCK else None
            if member is not None:
                self._offset += BLOCK
            else:
                member = self._extended()
                if member is None:
                    return
            self._left = aligned(member.size, BLOCK)
            yield member
            if not self._left:
                # Where one has no content, many may have none.
                files = empty_files_at(self._piece, self._offset)
                self._offset += BLOCK * len(files.names)
                if files.names:
                    yield files

    @property
    def unread(self) -> bytes:
        """What was read of the source and is not of a member so far."""
        return self._piece[self._offset :]

    def _extended(self) -> Member | None:
        """Return the next member, if there is one, with what extensions say of it."""
        said: dict[bytes, bytes] = {}
        start = 0  # of a header, from the member's first extension on
        while self._look_ahead(start + BLOCK):
            at = self._offset + start
            header = self._piece[at : at + BLOCK]
            member = member_of(header, said)
            if member is not None:
                self._offset = at + BLOCK
                return member
            size = extension_size(header)
            if size is None or not self._look_ahead(start + BLOCK + size):
                self.ended = not start and header == _ZEROS
                return None
            at = self._offset + start + BLOCK
            if not note_extension(header, self._piece[at : at + size], said):
                return None
            self.is_pax = header.startswith(USTAR, MAGIC)
            start += BLOCK + aligned(size, BLOCK)
        self.ended = not start and self.read > 0 and self._offset == len(self._piece)
        return None

    def _look_ahead(self, length: int) -> bool:
        """Have *length* bytes from the offset on in the piece, if there are so many."""
        while len(self._piece) - self._offset < length:
            rest = self._piece[self._offset :]
            if not self._read():
                return False
            self._piece = rest + self._piece
        return True

    def _read(self) -> bool:
        """Have the next piece instead of the last one. Returns whether there is one."""
        piece = next_piece(self._source, self.read)
        if not piece:
            return False
        self.read += len(piece)
        self._piece, self._offset = piece, 0
        return True

    def _skip(self) -> None:
        """Go to where the next member begins."""
        while self._left > len(self._piece) - self._offset:
            self._left -= len(self._piece) - self._offset
            self._read_more()
        self._offset += self._left
        self._left = 0

    def _read_more(self) -> None:
        if not self._read():
            raise DamagedArchive(
                f"{self._source.name}: is damaged or truncated (a member is cut off); "
                "make or fetch it again"
            )

    def read_into(self, buffer: Buffer, offset: int, length: int) -> None:
        """Put the current member's next *length* bytes into *buffer* at *offset*.

        Raises DamagedArchive when there are fewer.
        """
        into = memoryview(buffer).cast("B")
        self._left -= length
        while length:
            if self._offset == len(self._piece):
                self._read_more()
            found = self._piece[self._offset : self._offset + length]
            into[offset : offset + len(found)] = found
            self._offset += len(found)
            offset += len(found)
            length -= len(found)

    def note_on_end(self) -> str:
        """Return what is odd about how the archive ends. Raises what the source raises."""
        return note_on_end(self.format, self._rest())

    def _rest(self) -> Iterator[bytes]:
        yield self.unread
        while self._read():
            yield self._piece

    def close(self) -> None:
        """Do nothing: nothing is held that has to be given back."""
