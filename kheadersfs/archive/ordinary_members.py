"""The members of a tar, in order, up to the first whose headers are not ordinary.

tar/ordinary.py says which headers are ordinary.
"""

from __future__ import annotations

from kheadersfs.archive.digits import aligned
from kheadersfs.archive.ending import note_on_end
from kheadersfs.archive.feeding import next_piece
from kheadersfs.archive.tar.fields import BLOCK, MAGIC, USTAR
from kheadersfs.archive.tar.ordinary import (
    extension_size,
    files_at,
    member_of,
    note_extension,
)
from kheadersfs.errors import DamagedArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kheadersfs.archive.entries import Buffer
    from kheadersfs.archive.member import Files, Member
    from kheadersfs.archive.source import Source

_ZEROS = bytes(BLOCK)
_NOTHING_SAID: Mapping[bytes, bytes] = {}


class OrdinaryMembers:
    """The members in *source*. The content of each can be read before the next step only."""

    format = "tar"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._piece = b""
        self._offset = 0
        """Offset in the piece of the next byte to look at."""
        self._left = 0
        """Bytes from there to the next header: content that was not read, and padding."""
        self.read = 0
        """Bytes of the source that were read."""
        self.is_pax = False
        """Whether the last extension was in POSIX's form, not in GNU's."""
        self.ended = False
        """After the last step: whether the archive has ended. If not, the next member is not
        ordinary."""

    def __iter__(self) -> Iterator[Member | Files]:
        """Step through the members, up to the end or to one that is not ordinary.

        Files may come many at once, with their content. Raises DamagedArchive when the archive ends
        within a member.
        """
        while True:
            if self._left:
                self._skip()
            files, self._offset = files_at(self._piece, self._offset)
            if files.names:
                yield files
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

    @property
    def unread(self) -> bytes:
        """Bytes that were read from the source, behind the last member that was returned."""
        return self._piece[self._offset :]

    def _extended(self) -> Member | None:
        """Return the next member with what extensions in front of it say.

        Returns None at the end, which sets ``ended``, and for a member that is not ordinary.
        """
        said: dict[bytes, bytes] = {}
        start = 0  # offset of a header behind the first extension of the member
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
        """Read until the piece has *length* bytes from the offset on. Returns whether it has."""
        while len(self._piece) - self._offset < length:
            rest = self._piece[self._offset :]
            if not self._read():
                return False
            self._piece = rest + self._piece
        return True

    def _read(self) -> bool:
        """Replace the piece by the next one. Returns whether there is one."""
        piece = next_piece(self._source, self.read)
        if not piece:
            return False
        self.read += len(piece)
        self._piece, self._offset = piece, 0
        return True

    def _skip(self) -> None:
        """Go to the next header. Raises DamagedArchive when the archive ends before it."""
        while self._left > len(self._piece) - self._offset:
            self._left -= len(self._piece) - self._offset
            self._read_more()
        self._offset += self._left
        self._left = 0

    def _read_more(self) -> None:
        """Replace the piece by the next one. Raises DamagedArchive when there is none."""
        if not self._read():
            raise DamagedArchive(
                f"{self._source.name}: is damaged or truncated (a member is cut off); "
                "make or fetch it again"
            )

    def read_into(self, buffer: Buffer, offset: int, length: int) -> None:
        """Read the current member's next *length* bytes into *buffer* at *offset*.

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
        """Return a note on the end of the archive; see ending.py. Raises what the source raises."""
        return note_on_end(self.format, self._rest())

    def _rest(self) -> Iterator[bytes]:
        yield self.unread
        while self._read():
            yield self._piece

    def close(self) -> None:
        """Do nothing, as nothing has to be freed. LibraryMembers has this method too."""
