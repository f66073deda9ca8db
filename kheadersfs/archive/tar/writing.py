"""A member's header, as tar writes it. Nothing of the host gets in."""

from __future__ import annotations

import os
import stat
import struct

from kheadersfs.archive.digits import NANOSECONDS, padded
from kheadersfs.archive.member import Member, archived_name
from kheadersfs.archive.tar.fields import BLOCK, GNU, POSIX
from kheadersfs.errors import KheadersfsError

# GNU tar reads and writes 20 blocks at once, and expects an archive to be a multiple of that.
RECORD = 20 * BLOCK
# The fields are: name, mode, uid, gid, size, mtime, checksum, type, link name, magic and version.
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s247x")
# The same fields, and behind them POSIX's prefix of the name.
_LINK = struct.Struct("100s8s8s8s12s12s8sc100s8s80x155s12s")
_PADDING = 12
_HEAVIEST_BYTE = 127
_ROOT = b"0000000\0"
_NO_CHECKSUM = b" " * 8
_NAME_FIELD = 100
_PREFIX_FIELD = 155
# What GNU tar calls the pseudo-members in front of one whose name or target is too long.
_LONG_LINK = b"././@LongLink"


def header(member: Member) -> bytes:
    """Return the tar header of *member*, with what GNU and POSIX put before it where needed.

    Old tar's header says everything about almost every header file; a long name or target takes
    a GNU one in front, which holds any bytes, and a time that is not a whole second a POSIX one.
    Raises KheadersfsError for a time that readers would not agree on.
    """
    name, target, size = archived_name(member.name), b"", 0
    if member.hard_link:
        kind, target = b"1", archived_name(member.target or b"")
    elif stat.S_ISDIR(member.mode):
        kind = b"5"
        name += b"/"
    elif stat.S_ISLNK(member.mode):
        kind, target = b"2", member.target or b""
    else:
        kind, size = b"0", member.size
    seconds, fraction = divmod(member.mtime, NANOSECONDS)
    header = _block(name, stat.S_IMODE(member.mode), size, seconds, kind, target)
    if len(name) > _NAME_FIELD:
        header = _pseudo_member(_LONG_LINK, b"L", name + b"\0") + header
    if len(target) > _NAME_FIELD:
        header = _pseudo_member(_LONG_LINK, b"K", target + b"\0") + header
    if fraction:
        if seconds < 0:  # libarchive adds the fraction where others subtract it
            raise KheadersfsError(
                f"{os.fsdecode(member.name)}: has a time before 1970 that is not a whole second, "
                "which tar's readers do not agree on; give it another with touch"
            )
        record = b"mtime=%d.%09d\n" % (seconds, fraction)
        length = len(record) + 3  # with its own two digits and a space, which always suffice
        header = _pseudo_member(b"././@PaxHeader", b"x", b"%d " % length + record) + header
    return header


def link_header(
    directory: bytes, original: bytes, path: bytes, mode: int, mtime: int, heaviest: int
) -> bytes:
    """Return the header of a hard link at *path* in *directory* to that path in *original*.

    Both are names of directories in the archive's root. *heaviest* is the largest sum of bytes that
    such a name has. Headers of the same path in several directories differ in these names only: the
    prefix has a field of its own, as in POSIX, and bytes of the padding, which nobody reads, keep
    the checksum what it is. So each compresses to a byte or two.
    """
    target = original + b"/" + path
    prefix, link = archived_name(directory), archived_name(target)
    seconds, fraction = divmod(mtime, NANOSECONDS)
    if (
        fraction
        or not 0 <= seconds < 8**11
        or max(len(path), len(link)) > _NAME_FIELD
        or len(prefix) > _PREFIX_FIELD
    ):
        return header(Member(directory + b"/" + path, mode, mtime, 0, target, hard_link=True))
    block = _LINK.pack(
        path,
        b"%07o\0" % stat.S_IMODE(mode),
        _ROOT,
        _ROOT,
        _number(0),
        _number(seconds),
        _NO_CHECKSUM,
        b"1",
        link,
        POSIX,
        prefix,
        _weight(2 * heaviest - sum(directory) - sum(original)),
    )
    return _summed(block)


def _weight(missing: int) -> bytes:
    """Return what pads a header and adds *missing* to its checksum, as far as there is room.

    Bytes stay below 128, as there were programs that took them for signed.
    """
    full, rest = divmod(max(missing, 0), _HEAVIEST_BYTE)
    return (bytes([_HEAVIEST_BYTE]) * full + bytes([rest]))[:_PADDING]


def symlink_header(is_pax: bool) -> bytes:
    """Return the header of a symlink, in GNU's form or in POSIX's with an extension in front."""
    if not is_pax:
        return _block(b"link", 0, 0, 0, b"2", b"target")
    extension = _pseudo_member(b"extension", b"x", b"12 comment=\n")
    return extension + _block(b"link", 0, 0, 0, b"2", b"target", POSIX)


def _block(
    name: bytes,
    mode: int,
    size: int,
    seconds: int,
    kind: bytes,
    target: bytes,
    magic: bytes = GNU,
) -> bytes:
    """Return one header block; what does not fit its field is cut off."""
    fields = (
        name[:_NAME_FIELD],
        b"%07o\0" % mode,
        _ROOT,
        _ROOT,
        _number(size),
        _number(seconds),
        _NO_CHECKSUM,
        kind,
        target[:_NAME_FIELD],
        magic,
    )
    return _summed(_HEADER.pack(*fields))


def _summed(block: bytes) -> bytes:
    """Return the header *block* with its checksum."""
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _number(value: int) -> bytes:
    """Return *value* for a field of 12 bytes: in octal digits, or in base 256 as GNU tar does."""
    if 0 <= value < 8**11:
        return b"%011o\0" % value
    return ((1 << 95 if value >= 0 else 0) | value & (1 << 96) - 1).to_bytes(12, "big")


def _pseudo_member(name: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a member that says something about the next one."""
    return _block(name, 0o644, len(content), 0, kind, b"") + padded(content, BLOCK)


def end_marker(position: int) -> bytes:
    """Return the end marker for a stream of *position* bytes, up to a whole record."""
    marker = 2 * BLOCK
    return bytes(marker + -(position + marker) % RECORD)
