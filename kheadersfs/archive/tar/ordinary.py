"""tar's headers that are ordinary: those that all readers take for the same.

Most of a tar has no others, and to read one here takes a fifth of what libarchive takes. Whatever
is not known here to mean the same to libarchive is not ordinary. Sources: POSIX.1-2017, pax; the
GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import stat
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zlib import adler32

from kheadersfs.archive.digits import NANOSECONDS
from kheadersfs.archive.member import EmptyFiles, Member
from kheadersfs.archive.tar.fields import BLOCK, GNU, GNU_EXTENSIONS, POSIX, pax_records, pax_time

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = struct.Struct("100s48s8s356s")  # name, numbers, checksum, all behind it
_NUMBERS = struct.Struct("8s16x12s12s")  # mode, size, time
_KIND = struct.Struct("c100s8s80x155s12s")  # type, target, magic and version, prefix, the rest
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
_OTHER_NUMBERS = (b"atime", b"ctime", b"uid", b"gid")
_IGNORED = (b"uname", b"gname", b"comment")

_NO_FILE = frozenset((b"", b"/"))
"""What the names of files do not end with. libarchive takes a file with a slash for a directory."""
_FEW = 256
_SUM = 0xFFFF
"""The low half of an Adler-32, which of a few bytes is their sum, and 1."""
_BLANKS = 8 * 0x20
"""The sum of a checksum that is not there yet, with which a header was summed up."""


class _Kind(NamedTuple):
    """What is behind the checksum of an ordinary member, and ``total``, the sum of all that."""

    form: int
    is_file: bool
    is_hard_link: bool
    target: bytes | None
    prefix: bytes
    total: int


class _Common(NamedTuple):
    """What a header says beside the name, which is often what those before it said.

    The fields are those of a Member, and of a _Kind; ``total`` is the sum of it all.
    """

    mode: int
    mtime: int
    size: int
    target: bytes | None
    is_hard_link: bool
    is_file: bool
    prefix: bytes
    total: int


def empty_files_at(piece: bytes, offset: int) -> EmptyFiles:
    """Return the ordinary files whose headers follow each other in *piece* from *offset* on.

    They have no content, or their headers would not.
    """
    files = EmptyFiles([], [], [])
    names = files.names
    end = len(piece) - (len(piece) - offset) % BLOCK
    last_numbers, last_kind = b"", b""
    mode, mtime, prefix, total = 0, 0, b"", 0
    # There are hundreds in a piece, and few say what the one before has not said.
    for field, numbers, checksum, kind in _HEADER.iter_unpack(memoryview(piece)[offset:end]):
        if numbers != last_numbers or kind != last_kind:
            files.complete(mode, mtime)
            common, last_numbers, last_kind = _common(numbers, kind), numbers, kind
            if common is None or not common.is_file or common.size:
                break
            mode, mtime, prefix, total = common.mode, common.mtime, common.prefix, common.total - 1
        if total + (adler32(field) & _SUM) != _expected(checksum):
            break
        name = prefix + field.partition(b"\0")[0]
        if name[-1:] in _NO_FILE:
            break
        names.append(name)
    files.complete(mode, mtime)
    return files


def member_of(header: bytes, said: Mapping[bytes, bytes]) -> Member | None:
    """Return the member of *header*, a whole block, if it is ordinary.

    Extensions in front of it have *said* more of it, see note_extension().
    """
    field, numbers, checksum, kind = _HEADER.unpack(header)
    common = _common(numbers, kind)
    if common is None or common.total + _sum(field) != _expected(checksum):
        return None
    mode, mtime, size, target, is_hard_link, is_file, prefix, _ = common
    name = prefix + field.partition(b"\0")[0]
    if said:
        name = said.get(b"path", name)
        target = None if target is None else said.get(b"linkpath", target)
        mtime = pax_time(said[b"mtime"]) if b"mtime" in said else mtime
    # libarchive takes a file whose name ends with a slash for a directory.
    if not name or target == b"" or (is_file and name.endswith(b"/")):
        return None
    return Member(name, mode, mtime, size, target, is_hard_link)


def _common(numbers: bytes, kind: bytes) -> _Common | None:
    """Return what is said in front of a checksum, and behind it, if both are ordinary."""
    known = _kind(kind)
    if known is None:
        return None
    form, is_file, is_hard_link, target, prefix, total = known
    try:
        mode, size, time = map(_octal, _NUMBERS.unpack(numbers))
    except ValueError:
        return None
    if size and not is_file:
        return None
    mode = form | mode & 0o7777
    total += _sum(numbers)
    return _Common(mode, time * NANOSECONDS, size, target, is_hard_link, is_file, prefix, total)


@lru_cache(64)  # but for links, most members have the same
def _kind(field: bytes) -> _Kind | None:
    """Return what *field* says, all that is behind a checksum, if it is ordinary."""
    kind, target, magic, prefix, rest = _KIND.unpack(field)
    form = _KINDS.get(kind)
    if form is None or rest != _NOTHING_BEHIND:
        return None
    if prefix != _NO_PREFIX if magic == GNU else magic != POSIX:
        return None
    directory = prefix.partition(b"\0")[0]
    return _Kind(
        form,
        kind in _FILES,
        kind == _HARD_LINK,
        target.partition(b"\0")[0] if kind in _LINKS else None,
        directory.removesuffix(b"/") + b"/" if directory else b"",
        _sum(field),
    )


def _sum(field: bytes) -> int:
    """Return the sum of the bytes in *field*, fewer than 512."""
    return (adler32(field[:_FEW]) & _SUM) + (adler32(field[_FEW:]) & _SUM) - 2


@lru_cache(1024)  # of similar headers they are similar
def _expected(checksum: bytes) -> int:
    """Return what all but the *checksum* of a header comes to; what nothing does for no number."""
    try:
        return _octal(checksum) - _BLANKS
    except ValueError:
        return -1


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
    name, numbers, checksum, behind = _HEADER.unpack(header)
    kind = behind[:1]
    if kind not in (_PAX, _GLOBAL) and kind not in GNU_EXTENSIONS:
        return None
    try:
        _, size, _ = map(_octal, _NUMBERS.unpack(numbers))
    except ValueError:
        return None
    is_intact = _sum(name) + _sum(numbers) + _sum(behind) == _expected(checksum)
    return size if is_intact and 0 < size <= _LARGEST_EXTENSION else None


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
    if keyword in _OTHER_NUMBERS:
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
