"""Where the files' content lies in a block, as the block's own tar or cpio headers say.

An index is a shortcut past these headers; here is what it is held against. Blocks of a packed
archive begin with a header, so each can be walked by itself. Sources: POSIX.1-2017, pax (ustar and
extended headers); the GNU tar manual for type L; cpio(5) for newc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAR_BLOCK = 512
_NEWC_MAGIC = b"070701"
_NEWC_HEADER = 110
_NEWC_TRAILER = b"TRAILER!!!"
_REGULAR = frozenset(b"0\x007")


class FileExtent(NamedTuple):
    """A file with content: its name without ``./``, and its extent within the block, in bytes."""

    name: bytes
    start: int
    size: int


def walk_files(block: bytes) -> Iterator[FileExtent]:
    """Yield the files with content of which *block* has the headers, in order.

    Raises ValueError when it does not consist of whole members.
    """
    walk = _walk_newc if block.startswith(_NEWC_MAGIC) else _walk_tar
    for extent in walk(block):
        if extent.start + extent.size > len(block):
            raise ValueError("a member reaches beyond its block")
        if extent.size:
            yield extent._replace(name=_plain(extent.name))


def _plain(name: bytes) -> bytes:
    return name.removeprefix(b"./")


def parse_digits(field: bytes, base: int) -> int:
    """Return the number that *field* holds in digits of *base* and nothing else.

    int() would also take signs, spaces and underscores, and a walk whose steps can be negative
    need not end. Raises ValueError.
    """
    if not field.isalnum():
        raise ValueError("a header has no number where there should be one")
    return int(field, base)


def _walk_tar(block: bytes) -> Iterator[FileExtent]:
    offset = 0
    long_name: bytes | None = None
    while offset + _TAR_BLOCK <= len(block):
        header = block[offset : offset + _TAR_BLOCK]
        if not header[0] and not any(header):
            return  # the end marker
        kind = header[156]
        size = _tar_number(header[124:136])
        start = offset + _TAR_BLOCK
        if kind in b"xL":
            content = block[start : start + size]
            if kind == ord("L"):
                long_name = content.rstrip(b"\0")
            else:
                long_name = _pax_path(content) or long_name
        elif kind in _REGULAR:
            yield FileExtent(long_name or _tar_name(header), start, size)
            long_name = None
        else:
            size = 0 if kind in b"123456" else size
            long_name = None
        offset = start + -(-size // _TAR_BLOCK) * _TAR_BLOCK
    if offset != len(block):
        raise ValueError("it does not end with a whole member")


def _tar_name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0]
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _tar_number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(1 << (8 * len(field) - 1))
    return parse_digits(field.strip(b" \0") or b"0", 8)


def _pax_path(records: bytes) -> bytes | None:
    """Return the path of an extended header: records of "length keyword=value\\n"."""
    path = None
    while records:
        length = parse_digits(records.partition(b" ")[0], 10)
        if not 0 < length <= len(records):
            raise ValueError("an extended header is cut off")
        _, _, assignment = records[: length - 1].partition(b" ")
        keyword, _, value = assignment.partition(b"=")
        if keyword == b"path":
            path = value
        elif keyword == b"size":
            raise ValueError("a member states its size twice")
        records = records[length:]
    return path


def _walk_newc(block: bytes) -> Iterator[FileExtent]:
    offset = 0
    while offset < len(block):
        header = block[offset : offset + _NEWC_HEADER]
        if header[:6] != _NEWC_MAGIC or len(header) < _NEWC_HEADER:
            raise ValueError("there is no cpio header where a member should begin")
        size, name_size = parse_digits(header[54:62], 16), parse_digits(header[94:102], 16)
        name = block[offset + _NEWC_HEADER : offset + _NEWC_HEADER + name_size - 1]
        if name == _NEWC_TRAILER:
            return
        start = offset + -(-(_NEWC_HEADER + name_size) // 4) * 4
        # A symlink's target is its content, but not the content of a file.
        if parse_digits(header[14:22], 16) & 0o170000 == 0o100000:
            yield FileExtent(name, start, size)
        offset = start + -(-size // 4) * 4
