"""Parses ordinary tar headers: those that GNU tar, bsdtar and libarchive understand alike.

Most tars have no others. Reading a header here takes a fifth of the time that libarchive takes. A
header is ordinary only if libarchive is known to read the same from it; libarchive reads all
others. Sources: POSIX.1-2017, pax; the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import stat
import struct
from functools import lru_cache
from zlib import adler32

from kheadersfs.archive.digits import NANOSECONDS, aligned
from kheadersfs.archive.member import Files, Member
from kheadersfs.archive.tar.fields import BLOCK, GNU, GNU_EXTENSIONS, POSIX, pax_records, pax_time
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# A header's 512 bytes in four parts: name; numbers; checksum; and what is called its kind here.
_HEADER = struct.Struct("100s48s8s356s")
_NUMBERS = struct.Struct("8s16x12s12s")  # mode, size and modification time; uid and gid between
# type, link target, magic and version, prefix of the name, padding; owner and device between
_KIND = struct.Struct("c100s8s80x155s12s")
_FILE, _HARD_LINK, _SYMLINK, _DIRECTORY = b"0", b"1", b"2", b"5"
_KINDS = {
    b"\0": stat.S_IFREG,
    _FILE: stat.S_IFREG,
    _HARD_LINK: 0,  # its type is that of its target
    _SYMLINK: stat.S_IFLNK,
    _DIRECTORY: stat.S_IFDIR,
}
_FILES, _LINKS = (b"\0", _FILE), (_HARD_LINK, _SYMLINK)
_NO_PREFIX, _NOTHING_BEHIND = bytes(155), bytes(12)
"""In place of the prefix, GNU tar has times and the map of a sparse file. In the padding behind it,
star has a magic of its own."""
_PAX, _GLOBAL = b"x", b"g"
_LARGEST_EXTENSION = 16 << 10
"""Bytes of an extended header. All of them are in memory before its member is read."""
_OTHER_NUMBERS = (b"atime", b"ctime", b"uid", b"gid")
"""Keywords whose values must be numbers, and are not used."""
_IGNORED = (b"uname", b"gname", b"comment")

_NO_FILE = frozenset((b"", b"/"))
"""The last byte of a name that is not ordinary for a file: none, or a slash. libarchive takes a
file whose name ends with a slash for a directory."""
_FEW = 256
"""Bytes whose sum fits into the low half of an Adler-32 and stays below its modulus, 65521."""
_SUM = 0xFFFF
"""The low half of an Adler-32 (RFC 1950), which is the sum of the bytes, and 1. zlib computes it in
less time than sum() takes."""
_BLANKS = 8 * 0x20
"""The sum of the checksum field while the checksum is computed, when it is filled with spaces."""


class _Kind(Record):
    """What the kind of an ordinary header says, the 356 bytes behind its checksum.

    ``form`` is the file type in st_mode, 0 for a hard link. ``target`` is None unless it is a link.
    ``prefix`` goes in front of the name, with its slash. ``total`` is the sum of all 356 bytes.
    """

    form: int
    is_file: bool
    is_hard_link: bool
    target: bytes | None
    prefix: bytes
    total: int


class _Common(Record):
    """What an ordinary header says apart from its name, which is often the same as in the last one.

    The fields are those of Member and of _Kind. ``total`` is the sum of the bytes of both numbers
    and kind.
    """

    mode: int
    mtime: int
    size: int
    target: bytes | None
    is_hard_link: bool
    is_file: bool
    prefix: bytes
    total: int


def files_at(piece: bytes, offset: int) -> tuple[Files, int]:
    """Return the files whose ordinary headers follow each other in *piece* from *offset* on.

    The content of each is in *piece* too. Stops at the first header of anything else, or of a file
    that reaches beyond *piece*. Returns also the offset of that header.
    """
    files = Files(piece, [], [], [], [], [])
    names = files.names
    last_kind = last_numbers = prefix = b""
    mode = mtime = size = total = step = 0
    last = len(piece) - BLOCK
    # A piece has many of them. This loop calls as little as it can, and what does not differ from
    # the header before is not parsed again: of most files the kind, of empty ones all but the name.
    while offset <= last:
        field, numbers, checksum, kind = _HEADER.unpack_from(piece, offset)
        if numbers != last_numbers or kind != last_kind:
            _complete(files, mode, mtime, size, offset)
            known = _kind(kind)
            if known is None or not known.is_file:
                break
            try:
                mode, size, time = map(_octal, _NUMBERS.unpack(numbers))
            except ValueError:
                break
            last_kind, last_numbers = kind, numbers
            mode, mtime = stat.S_IFREG | mode & 0o7777, time * NANOSECONDS
            prefix, total = known.prefix, known.total + (adler32(numbers) & _SUM) - 2
            step = BLOCK + aligned(size, BLOCK)
        if total + (adler32(field) & _SUM) != _expected(checksum):
            break
        name = prefix + field.partition(b"\0")[0]
        if name[-1:] in _NO_FILE or offset + step > len(piece):
            break
        names.append(name)
        offset += step
    _complete(files, mode, mtime, size, offset)
    return files, offset


def _complete(files: Files, mode: int, mtime: int, size: int, end: int) -> None:
    """Give those of *files* that have only a name so far what their equal headers say.

    *end* is the offset behind the last of them.
    """
    count = len(files.names) - len(files.modes)
    padded = aligned(size, BLOCK)
    if count == 1:  # so it is mostly, and this takes half the time of what is below
        files.modes.append(mode)
        files.mtimes.append(mtime)
        files.sizes.append(size)
        files.offsets.append(end - padded)
    elif count:
        files.modes.extend([mode] * count)
        files.mtimes.extend([mtime] * count)
        files.sizes.extend([size] * count)
        step = BLOCK + padded
        files.offsets.extend(range(end + BLOCK - count * step, end + BLOCK, step))


def member_of(header: bytes, said: Mapping[bytes, bytes]) -> Member | None:
    """Return the member of *header*, one block, or None if that is not ordinary.

    *said* is what extensions in front of it say of the member; see note_extension().
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
    """Return what *numbers* and *kind* of a header say, or None if one of them is not ordinary."""
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


@lru_cache(64)  # most members have the same kind, unless they are links
def _kind(field: bytes) -> _Kind | None:
    """Return what the kind of a header says, or None if it is not ordinary."""
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
    """Return the sum of the bytes in *field*, at most 512."""
    return (adler32(field[:_FEW]) & _SUM) + (adler32(field[_FEW:]) & _SUM) - 2


@lru_cache(1024)  # similar headers have similar checksums
def _expected(checksum: bytes) -> int:
    """Return the sum that all bytes of a header but its *checksum* must have.

    Returns -1, which is no sum, if *checksum* is not a number.
    """
    try:
        return _octal(checksum) - _BLANKS
    except ValueError:
        return -1


@lru_cache(64)  # many members have the same mode, time or size
def _octal(field: bytes) -> int:
    """Return the number in *field*, in octal digits. Raises ValueError if it has anything else."""
    digits = field.rstrip(b" \0")
    # int() alone would also accept signs, spaces and underscores.
    if not digits.isdigit():
        raise ValueError("a header has no number where there should be one")
    return int(digits, 8)


def extension_size(header: bytes) -> int | None:
    """Return the size in bytes of the extension behind *header*, if that has an ordinary one.

    An extension says something of the next member: a pax header, or GNU's long name or target.
    Returns None for the header of anything else.
    """
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
    """Add to *said*, by pax keyword, what an extension says of the next member.

    *content* is that of the extension. Returns whether all of it is ordinary.
    """
    kind = header[156:157]
    try:
        if kind in GNU_EXTENSIONS:
            value = content.removesuffix(b"\0")
            return b"\0" not in value and _note(GNU_EXTENSIONS[kind], value, said)
        records = list(pax_records(content))
        if kind == _GLOBAL:  # git archive notes the commit in one
            return all(keyword == b"comment" for keyword, _ in records)
        return all(_note_record(keyword, value, said) for keyword, value in records)
    except ValueError:
        return False


def _note_record(keyword: bytes, value: bytes, said: dict[bytes, bytes]) -> bool:
    """Add one record to *said*; see note_extension(). Raises ValueError for a malformed number."""
    if keyword in _IGNORED:
        return True
    if keyword in _OTHER_NUMBERS:
        return pax_time(value) >= 0
    if keyword == b"mtime":
        return pax_time(value) >= 0 and _note(keyword, value, said)
    # libarchive converts names that are not ASCII, and composes some of their characters.
    if keyword in (b"path", b"linkpath"):
        return value.isascii() and b"\0" not in value and _note(keyword, value, said)
    return False


def _note(keyword: bytes, value: bytes, said: dict[bytes, bytes]) -> bool:
    """Add *value* to *said*. Returns False if it is empty, or if there is another one already."""
    if not value or keyword in said:
        return False
    said[keyword] = value
    return True
