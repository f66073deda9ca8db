"""What tar headers say of a member, where libarchive reports something else.

Extended headers in front of a member's header may say more of it. libarchive treats three kinds of
them differently from GNU tar. It replaces the permissions of the header by those of an access
control list. It replaces the size of a file by star's ``SCHILY.realsize``, even if the file is not
sparse. And it ignores global headers. This module reads what GNU tar makes of them. Sources:
POSIX.1-2017, pax; the GNU tar manual, "Sparse Formats"; star(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.digits import parse_digits
from kheadersfs.archive.tar.fields import BLOCK, number, pax_records, pax_time

if TYPE_CHECKING:
    from collections.abc import Callable

_ORDINARY = frozenset(b"\x000123456 7")
"""Types of a member's own header that needs no correction, unless another header is in front."""
_PAX = (b"x", b"X")
_GLOBAL = b"g"
# Types of headers in front of a member's: extended headers, GNU's long names and targets, the label
# of a volume, and Solaris' access control lists.
_IN_FRONT = (*_PAX, _GLOBAL, b"L", b"K", b"V", b"A")
_SPARSE = b"S"
_SPARSE_KEYWORDS = (b"GNU.sparse.", b"SUN.holesdata")
_ACCESS = b"SCHILY.acl."
_REAL_SIZE = b"SCHILY.realsize"
_AMBIGUOUS = frozenset((b"path", b"linkpath", b"size"))
"""What a global header must not say, as it would hold for all members."""


class Preamble(NamedTuple):
    """Corrections of what libarchive reports of a member; None where it is right.

    ``permissions`` are the low 12 bits of st_mode, ``mtime`` is in nanoseconds, ``size`` in bytes.
    ``sparse`` tells that the file is sparse, so that content that the archive does not have is a
    hole.
    """

    permissions: int | None = None
    mtime: int | None = None
    size: int | None = None
    sparse: bool = False

    def corrected(self, mode: int, mtime: int, size: int) -> tuple[int, int, int]:
        """Return st_mode, time in nanoseconds and size in bytes after the corrections."""
        if self.permissions is not None:
            mode = mode & ~0o7777 | self.permissions
        return (
            mode,
            mtime if self.mtime is None else self.mtime,
            size if self.size is None else self.size,
        )


NOTHING = Preamble()


class Preambles:
    """Reads the headers in front of each member of a tar, in order."""

    __slots__ = ("_at", "_everywhere")

    def __init__(self, at: Callable[[int, int], bytes]) -> None:
        """*at* takes a position and a length, and returns these bytes, or those still held."""
        self._at = at
        self._everywhere: dict[bytes, bytes] = {}

    def read(self, position: int) -> Preamble:
        """Return the corrections for the member whose first header is at *position*.

        libarchive has read its headers already. Raises ValueError if they are malformed.
        """
        header = self._at(position, BLOCK)
        if len(header) < BLOCK or (header[156] in _ORDINARY and not self._everywhere):
            return NOTHING
        said: dict[bytes, bytes] = {}
        while header[156:157] in _IN_FRONT:
            kind, size = header[156:157], number(header[124:136])
            content = self._at(position + BLOCK, size)
            if kind == _GLOBAL:
                self._take_global(content)
            elif kind in _PAX:
                said.update(pax_records(content))
            position += BLOCK + -(-size // BLOCK) * BLOCK
            header = self._at(position, BLOCK)
        return self._told(header, said) if len(header) == BLOCK else NOTHING

    def _take_global(self, content: bytes) -> None:
        """Remember what a global header with this *content* says of all further members.

        It replaces all earlier ones, as in GNU tar. In POSIX, an earlier one would still hold for
        the keywords that this one lacks. Raises ValueError.
        """
        self._everywhere = dict(pax_records(content))
        if not _AMBIGUOUS.isdisjoint(self._everywhere):
            raise ValueError("a global header gives all members one name or size")

    def _told(self, header: bytes, said: dict[bytes, bytes]) -> Preamble:
        """Return the corrections from a member's *header* and what was *said* in front of it."""
        sparse = header[156:157] == _SPARSE
        permissions = size = mtime = None
        for keyword in said:
            sparse = sparse or keyword.startswith(_SPARSE_KEYWORDS)
            if keyword.startswith(_ACCESS):
                permissions = number(header[100:108]) & 0o7777
        if _REAL_SIZE in said and not sparse:
            stated = said.get(b"size")
            size = number(header[124:136]) if stated is None else parse_digits(stated, 10)
        if b"mtime" in self._everywhere and b"mtime" not in said:
            mtime = pax_time(self._everywhere[b"mtime"])
        return Preamble(permissions, mtime, size, sparse)
