"""What tar's own headers say of a member, where libarchive says something else.

In front of a member's header there may be others that say more of it. Of some, libarchive makes
what GNU tar does not: the permissions of an access control list replace those of the header, star's
``SCHILY.realsize`` replaces the size of a file that is not sparse, and what a global header says is
passed over. Sources: POSIX.1-2017, pax; the GNU tar manual, "Sparse Formats"; star(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.digits import parse_digits
from kheadersfs.archive.tar.fields import BLOCK, number, pax_records, pax_time

if TYPE_CHECKING:
    from collections.abc import Callable

_ORDINARY = frozenset(b"\x000123456 7")
"""Types of members for which a header says all there is to say."""
_PAX = (b"x", b"X")
_GLOBAL = b"g"
# Headers that are about the member behind them: extended headers, GNU's long names and targets, a
# volume's label, and Solaris' access control lists.
_IN_FRONT = (*_PAX, _GLOBAL, b"L", b"K", b"V", b"A")
_SPARSE = b"S"
_SPARSE_KEYWORDS = (b"GNU.sparse.", b"SUN.holesdata")
_ACCESS = b"SCHILY.acl."
_REAL_SIZE = b"SCHILY.realsize"
_AMBIGUOUS = frozenset((b"path", b"linkpath", b"size"))


class Preamble(NamedTuple):
    """What tar's own headers say of a member where libarchive says something else.

    None means that libarchive is right. ``sparse`` tells that content which is not in the archive
    is a hole.
    """

    permissions: int | None = None
    mtime: int | None = None
    size: int | None = None
    sparse: bool = False

    def corrected(self, mode: int, mtime: int, size: int) -> tuple[int, int, int]:
        """Return st_mode, time in nanoseconds and size of the member with what is to replace it."""
        if self.permissions is not None:
            mode = mode & ~0o7777 | self.permissions
        return (
            mode,
            mtime if self.mtime is None else self.mtime,
            size if self.size is None else self.size,
        )


NOTHING = Preamble()


class Preambles:
    """Looks at the headers of one tar after the other."""

    __slots__ = ("_at", "_everywhere")

    def __init__(self, at: Callable[[int, int], bytes]) -> None:
        """*at* returns the bytes at a position, of a length, as far as they are known."""
        self._at = at
        self._everywhere: dict[bytes, bytes] = {}

    def read(self, position: int) -> Preamble:
        """Return what the headers from *position* on say. Raises ValueError if they make no sense.

        They are those of the next member, which libarchive has read.
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
        """Remember what is said of all members from now on. Raises ValueError.

        As in GNU tar, nothing of an earlier global header holds any more; in POSIX it would, where
        this one is silent.
        """
        self._everywhere = dict(pax_records(content))
        if not _AMBIGUOUS.isdisjoint(self._everywhere):
            raise ValueError("a global header gives all members one name or size")

    def _told(self, header: bytes, said: dict[bytes, bytes]) -> Preamble:
        """Return what *header* tells, and what was *said* in front of it."""
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
