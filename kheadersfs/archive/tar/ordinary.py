"""tar's headers that are ordinary: those that all readers take for the same.

Most of a tar has no others, and to read one here takes a fifth of what libarchive takes. Whatever
is not known here to mean the same to libarchive is not ordinary. Sources: POSIX.1-2017, pax; the
GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import stat
import struct
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import adler32

from kheadersfs.archive.digits import NANOSECONDS
from kheadersfs.archive.member import Member
from kheadersfs.archive.tar.fields import BLOCK, GNU, GNU_EXTENSIONS, POSIX, pax_records, pax_time

if TYPE_CHECKING:
    from collections.abc import Mapping

# name, mode, size, time, checksum, type, target, magic and version, prefix, what is behind it
_HEADER = struct.Struct("100s8s16x12s12s8sc100s8s80x155s12s")
_FILE, _HARD_LINK, _SYMLINK, _DIRECTORY = b"0", b"1", b"2", b"5"
_KINDS = {
    b"\0": stat.S_IFREG,
    _FILE: stat.S_IFREG,
    _HARD_LINK: 0,  # of the type that what it points to has
    _SYMLINK: stat.S_IFLNK,
    _DIRECTORY: stat.S_IFDIR,
}
_FILES, _LINKS = (b"\0", _FILE), (_HARD_LINK, _SYMLINK)
_NO_PREFIX, _NOTHING_BEHIND = bytes(155), bytes(12)
"""GNU has a map of sparse files where POSIX has a prefix, and star its own name behind that."""
_PAX, _GLOBAL = b"x", b"g"
_LARGEST_EXTENSION = 16 << 10
"""Bytes, which are all looked at before a member is."""
_NUMBERS = (b"atime", b"ctime", b"uid", b"gid")
_IGNORED = (b"uname", b"gname", b"comment")

_HALF = BLOCK // 2
_SUM = 0xFFFF
_BLANKS = 8 * 0x20
"""The sum of a checksum that is not there yet."""


def member_of(header: bytes, said: Mapping[bytes, bytes]) -> Member | None:
    """Return the member of *header*, a whole block, if it is ordinary.

    Extensions in front of it have *said* more of it, see note_extension().
    """
    name, mode, size, time, checksum, kind, target, magic, prefix, rest = _HEADER.unpack(header)
    form = _KINDS.get(kind)
    try:
        if form is None or not _is_intact(header, checksum):
            return None
        form |= _octal(mode) & 0o7777
        length, mtime = _octal(size), _octal(time) * NANOSECONDS
    except ValueError:
        return None
    name = name.partition(b"\0")[0]
    if rest != _NOTHING_BEHIND or (prefix != _NO_PREFIX if magic == GNU else magic != POSIX):
        return None
    if prefix[0]:
        name = prefix.partition(b"\0")[0].removesuffix(b"/") + b"/" + name
    points_to = target.partition(b"\0")[0] if kind in _LINKS else None
    if said:
        name = said.get(b"path", name)
        points_to = None if points_to is None else said.get(b"linkpath", points_to)
        mtime = pax_time(said[b"mtime"]) if b"mtime" in said else mtime
    if not name or points_to == b"":
        return None
    # libarchive takes a file whose name ends with a slash for a directory.
    if name.endswith(b"/") if kind in _FILES else length:
        return None
    return Member(name, form, mtime, length, points_to, kind == _HARD_LINK)


def _is_intact(header: bytes, checksum: bytes) -> bool:
    """Tell whether *header* adds up to the *checksum* in it. Raises ValueError for no number.

    The low half of an Adler-32 is the sum of the bytes, and 1, of as few as these.
    """
    first, second = adler32(header[:_HALF]) & _SUM, adler32(header[_HALF:]) & _SUM
    return first + second == _expected(checksum)


@lru_cache(1024)  # of similar headers they are similar
def _expected(checksum: bytes) -> int:
    """Return what both halves of a header with that *checksum* come to. Raises ValueError.

    The header has its own checksum in it, and was summed up with blanks instead.
    """
    return _octal(checksum) - _BLANKS + sum(checksum) + 2


@lru_cache(64)  # most members have a mode, a time and a length that others have too
def _octal(field: bytes) -> int:
    """Return the number that *field* has in octal digits. Raises ValueError if it is no such."""
    digits = field.rstrip(b" \0")
    # int() alone would also take signs, blanks and underscores.
    if not digits.isdigit():
        raise ValueError("a header has no number where there should be one")
    return int(digits, 8)


def extension_size(header: bytes) -> int | None:
    """Return how many bytes follow *header*, if it is an ordinary one that is about the next."""
    _, mode, size, time, checksum, kind, *_ = _HEADER.unpack(header)
    if kind not in (_PAX, _GLOBAL) and kind not in GNU_EXTENSIONS:
        return None
    try:
        length, *_ = _octal(size), _octal(mode), _octal(time)
        is_ordinary = _is_intact(header, checksum) and 0 < length <= _LARGEST_EXTENSION
    except ValueError:
        return None
    return length if is_ordinary else None


def note_extension(header: bytes, content: bytes, said: dict[bytes, bytes]) -> bool:
    """Add to *said* what an extension says of the next member. Returns whether that is ordinary."""
    kind = header[156:157]
    try:
        if kind in GNU_EXTENSIONS:
            value = content.removesuffix(b"\0")
            return b"\0" not in value and _note(GNU_EXTENSIONS[kind], value, said)
        records = list(pax_records(content))
        if kind == _GLOBAL:  # git's, with the commit that an archive is of
            return all(keyword == b"comment" for keyword, _ in records)
        return all(_note_record(keyword, value, said) for keyword, value in records)
    except ValueError:
        return False


def _note_record(keyword: bytes, value: bytes, said: dict[bytes, bytes]) -> bool:
    """As note_extension, of one record. Raises ValueError."""
    if keyword in _IGNORED:
        return True
    if keyword in _NUMBERS:
        return pax_time(value) >= 0
    if keyword == b"mtime":
        return pax_time(value) >= 0 and _note(keyword, value, said)
    # libarchive converts others, and composes some of their characters.
    if keyword in (b"path", b"linkpath"):
        return value.isascii() and b"\0" not in value and _note(keyword, value, said)
    return False


def _note(keyword: bytes, value: bytes, said: dict[bytes, bytes]) -> bool:
    if not value or keyword in said:
        return False
    said[keyword] = value
    return True
