"""What a block's own tar or cpio headers say of the members in it.

An index is a shortcut past these headers; here is what it is held against. Blocks of a packed
archive begin with a header, so each can be walked by itself. What a packed archive has no use for
is an error, so that nothing here depends on how a reader takes it. Sources: POSIX.1-2017, pax
(ustar and extended headers); the GNU tar manual for types L and K; cpio(5) for newc.
"""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAR_BLOCK = 512
# name, mode, size, time, type, target, magic, prefix
_TAR_HEADER = struct.Struct("100s8s16x12s12s8xc100s8s80x155s12x")
_USTAR = b"ustar\0"
_GNU = b"ustar  \0"
_MAGIC = 257
_TAR_KINDS = {
    b"0": stat.S_IFREG,
    b"\0": stat.S_IFREG,
    b"1": stat.S_IFREG,
    b"2": stat.S_IFLNK,
    b"5": stat.S_IFDIR,
}
_HARD_LINK = b"1"
_EXTENSIONS = {b"L": b"path", b"K": b"linkpath"}
_PAX = b"x"
_PAX_IGNORED = frozenset((b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"comment"))
_PAX_SERVED = (b"path", b"linkpath", b"mtime")
_NEWC_MAGIC = b"070701"
_NEWC_HEADER = 110
_NEWC_TRAILER = b"TRAILER!!!"
_NEWC_KINDS = frozenset((stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK))
_DIGITS_OF_A_LENGTH = 20
_DIGITS = {8: b"01234567", 10: b"0123456789", 16: b"0123456789abcdefABCDEF"}
_NEWLINE = ord("\n")
_NANOSECONDS = 1_000_000_000


class Described(NamedTuple):
    """A member as its header has it, with its name without ``./``; the root's is empty.

    ``mode`` is st_mode, ``mtime`` in nanoseconds. ``start`` and ``size`` are the extent of a
    file's content within the block, in bytes. ``links`` is 0 where the format does not say.
    ``target`` is a symlink's, or the name of which a hard link is another.
    """

    name: bytes
    mode: int
    mtime: int
    start: int
    size: int
    links: int = 0
    target: bytes = b""
    hard_link: bool = False


def walk_members(block: bytes, is_last: bool = True) -> Iterator[Described]:
    """Yield what *block* has the headers of, in order; only the last has the end marker.

    Raises ValueError when it does not consist of whole members of a packed archive.
    """
    walk = _walk_newc if block.startswith(_NEWC_MAGIC) else _walk_tar
    return walk(block, is_last)


def may_be_packed(header: bytes) -> bool:
    """Tell whether *header* is one that pack may have written: GNU's, with nothing optional."""
    return header.startswith(_GNU, _MAGIC) and not any(header[_MAGIC + len(_GNU) :])


def _require_end(block: bytes, offset: int, is_last: bool) -> None:
    """Raise ValueError unless an archive may end at *offset* of *block*, where readers stop."""
    if not is_last or block.count(0, offset) != len(block) - offset:
        raise ValueError("an end marker has something behind it")


def _plain(name: bytes) -> bytes:
    return b"" if name == b"." else name.removeprefix(b"./")


def parse_digits(field: bytes, base: int) -> int:
    """Return the number that *field* holds in digits of *base* and nothing else.

    int() would also take signs, spaces, underscores and prefixes, and a walk whose steps can be
    negative need not end. Raises ValueError.
    """
    if not field or field.strip(_DIGITS[base]):
        raise ValueError("a header has no number where there should be one")
    return int(field, base)


def _content(block: bytes, start: int, size: int) -> bytes:
    """Return *size* bytes of *block* from *start*. Raises ValueError."""
    if start + size > len(block):
        raise ValueError("a member reaches beyond its block")
    return block[start : start + size]


def _walk_tar(block: bytes, is_last: bool) -> Iterator[Described]:
    offset = 0
    said: dict[bytes, bytes] = {}
    while offset + _TAR_BLOCK <= len(block):
        header = block[offset : offset + _TAR_BLOCK]
        if not header[0] and not any(header):
            _require_end(block, offset, is_last)
            offset = len(block)
            break
        kind = header[156:157]
        start = offset + _TAR_BLOCK
        if kind == _PAX or kind in _EXTENSIONS:
            size = tar_number(header[124:136])
            _note(kind, _content(block, start, size), said)
        else:
            member = _tar_member(header, start, said)
            size = member.size
            if start + size > len(block):
                raise ValueError("a member reaches beyond its block")
            yield member
            said = {}
        offset = start + -(-size // _TAR_BLOCK) * _TAR_BLOCK
    if offset != len(block):
        raise ValueError("it does not end with a whole member")
    if said:  # other readers take it for the first member of the next block
        raise ValueError("what is said of a member has no member behind it")


def _tar_member(header: bytes, start: int, said: dict[bytes, bytes]) -> Described:
    """Return the member of *header*, of which extensions in front of it have *said* more."""
    name, mode, size_field, time, kind, target, magic, prefix = _TAR_HEADER.unpack(header)
    size = tar_number(size_field)
    if kind not in _TAR_KINDS:
        raise ValueError("a member is neither file, directory nor link")
    form = _TAR_KINDS[kind]
    hard_link = kind == _HARD_LINK
    if size and (hard_link or form != stat.S_IFREG):
        raise ValueError("a member has a size where there is no content")
    name = name.partition(b"\0")[0]
    is_ustar = magic.startswith(_USTAR)
    if magic.startswith(_USTAR[:-1]) and not is_ustar and magic != _GNU:
        raise ValueError("readers do not agree on the form of a header")
    if is_ustar and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    target = target.partition(b"\0")[0]
    mtime = tar_number(time, signed=True) * _NANOSECONDS
    if said:
        name = said.get(b"path", name)
        target = said.get(b"linkpath", target)
        mtime = pax_time(said[b"mtime"]) if b"mtime" in said else mtime
    if form == stat.S_IFDIR:
        name = name.removesuffix(b"/")
    return Described(
        _plain(name),
        form | tar_number(mode) & 0o7777,
        mtime,
        start,
        size,
        target=_plain(target) if hard_link else target,
        hard_link=hard_link,
    )


def tar_number(field: bytes, signed: bool = False) -> int:
    """Return the number in *field*, in octal digits or in base 256; GNU tar has that of 95 bits.

    Raises ValueError.
    """
    if not field[0] & 0x80:
        return parse_digits(field.strip(b" \0") or b"0", 8)
    bits = 8 * len(field) - 1
    value = int.from_bytes(field, "big") & ~(1 << bits)
    if value >> (bits - 1):
        if not signed:
            raise ValueError("a header has a negative number where there cannot be one")
        value -= 1 << bits
    return value


def _note(kind: bytes, content: bytes, said: dict[bytes, bytes]) -> None:
    """Add to *said* what an extension in front of a member says of it. Raises ValueError."""
    gnu = () if kind == _PAX else ((_EXTENSIONS[kind], content.rstrip(b"\0")),)
    for keyword, value in gnu or pax_records(content):
        if keyword in said:
            raise ValueError("a member says something twice")
        if keyword not in _PAX_IGNORED:
            if keyword not in _PAX_SERVED:
                raise ValueError("an extended header says what it does not in a packed archive")
            if not value:
                raise ValueError("readers do not agree on what is said without a value")
            said[keyword] = value


def pax_records(records: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keyword and value of each of *records*: length, space, keyword=value, newline.

    Raises ValueError.
    """
    position = 0
    while position < len(records):
        space = records.find(b" ", position, position + _DIGITS_OF_A_LENGTH)
        length = parse_digits(records[position : max(space, position)], 10)
        end = position + length
        if end > len(records) or end <= space or records[end - 1] != _NEWLINE:
            raise ValueError("an extended header is cut off")
        keyword, _, value = records[space + 1 : end - 1].partition(b"=")
        yield keyword, value
        position = end


def pax_time(value: bytes) -> int:
    """Return *value*, seconds in decimal digits and perhaps a fraction, in nanoseconds.

    Raises ValueError.
    """
    seconds, _, fraction = value.partition(b".")
    negative = seconds.startswith(b"-")
    whole = parse_digits(seconds.removeprefix(b"-"), 10) * _NANOSECONDS
    if negative:
        if fraction:
            raise ValueError("readers do not agree on a time with a fraction before 1970")
        return -whole
    return whole + parse_digits(fraction[:9].ljust(9, b"0"), 10)


def _walk_newc(block: bytes, is_last: bool) -> Iterator[Described]:
    offset = 0
    while offset < len(block):
        header = block[offset : offset + _NEWC_HEADER]
        if header[:6] != _NEWC_MAGIC or len(header) < _NEWC_HEADER:
            raise ValueError("there is no cpio header where a member should begin")
        mode, links, mtime, size, name_size = (
            parse_digits(header[start : start + 8], 16) for start in (14, 38, 46, 54, 94)
        )
        name, end, rest = _content(block, offset + _NEWC_HEADER, name_size).partition(b"\0")
        if rest or not end:
            raise ValueError("a name does not end where its header says")
        if name == _NEWC_TRAILER:
            return _require_end(block, offset + _NEWC_HEADER + name_size, is_last)
        start = offset + -(-(_NEWC_HEADER + name_size) // 4) * 4
        kind = stat.S_IFMT(mode)
        if kind not in _NEWC_KINDS or mode >> 16:
            raise ValueError("a member is neither file, directory nor link")
        content_size = size
        target = b""
        if start + size > len(block):
            raise ValueError("a member reaches beyond its block")
        if kind == stat.S_IFLNK:
            target, content_size = block[start : start + size], 0
        elif kind == stat.S_IFDIR and size:
            raise ValueError("a member has a size where there is no content")
        yield Described(
            _plain(name), mode, mtime * _NANOSECONDS, start, content_size, links, target
        )
        offset = start + -(-size // 4) * 4
