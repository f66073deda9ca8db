"""Writes the tar headers of members. Nothing of the host gets in, such as users or times.

Sources: the GNU tar manual, "Basic Tar Format"; POSIX.1-2017, pax.
"""

from __future__ import annotations

import os
import stat
import struct

from kheadersfs.archive.digits import NANOSECONDS, padded
from kheadersfs.archive.member import Member, archived_name
from kheadersfs.archive.tar.fields import BLOCK, GNU, POSIX
from kheadersfs.errors import KheadersfsError

RECORD = 20 * BLOCK
"""Bytes. GNU tar reads and writes so many at once, and pads an archive to a multiple of them."""
# The fields are: name, mode, uid, gid, size, mtime, checksum, type, link name, magic and version.
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s247x")
# The same fields, and behind them POSIX's prefix of the name and the padding.
_LINK = struct.Struct("100s8s8s8s12s12s8sc100s8s80x155s12s")
_PADDING = 12
"""Bytes at the end of a POSIX header that no reader looks at."""
_HEAVIEST_BYTE = 127
_ROOT = b"0000000\0"
_NO_CHECKSUM = b" " * 8
_NAME_FIELD = 100
_PREFIX_FIELD = 155
# GNU tar's name for the pseudo-member in front of a member whose name or target is too long.
_LONG_LINK = b"././@LongLink"


def header(member: Member) -> bytes:
    """Return the tar header of *member*, with the headers in front of it that it needs.

    One block is enough for almost every member. A name or target that is too long for it is in a
    GNU header in front, which holds any bytes. A time that is not a whole second is in a POSIX
    header in front. Raises KheadersfsError for a time that readers would not agree on.
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
        if seconds < 0:  # libarchive adds the fraction, and other readers subtract it
            raise KheadersfsError(
                f"{os.fsdecode(member.name)}: has a time before 1970 that is not a whole second, "
                "which tar's readers do not agree on; give it another one with touch"
            )
        record = b"mtime=%d.%09d\n" % (seconds, fraction)
        length = len(record) + 3  # and the length itself: always two digits, and a space
        header = _pseudo_member(b"././@PaxHeader", b"x", b"%d " % length + record) + header
    return header


def link_header(
    directory: bytes, original: bytes, path: bytes, mode: int, mtime: int, heaviest: int
) -> bytes:
    """Return the header of a hard link at *directory*/*path* to *original*/*path*.

    *directory* and *original* are names of directories in the archive's root. *mode* is st_mode,
    *mtime* in nanoseconds. *heaviest* is the largest sum of bytes that such a name has.

    The headers of one path in several directories are made to differ in these names only, so that
    each compresses to a byte or two. The directory has a field of its own, POSIX's prefix. The
    padding is filled so that all of these headers have the same checksum.
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
    """Return padding for a header whose bytes add up to *missing*, or to as much as fits.

    All bytes are below 128, because some old programs compute the checksum from signed bytes.
    """
    full, rest = divmod(max(missing, 0), _HEAVIEST_BYTE)
    return (bytes([_HEAVIEST_BYTE]) * full + bytes([rest]))[:_PADDING]


def symlink_header(is_pax: bool) -> bytes:
    """Return the header of some symlink: GNU's, or if *is_pax* POSIX's with an extension in front.

    libarchive reads it before other members; see members.py.
    """
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
    """Return one block of header. A name or target that does not fit its field is cut off."""
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
    """Return *value* as a field of 12 bytes: octal digits, or GNU tar's base 256 if need be."""
    if 0 <= value < 8**11:
        return b"%011o\0" % value
    return ((1 << 95 if value >= 0 else 0) | value & (1 << 96) - 1).to_bytes(12, "big")


def _pseudo_member(name: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a header of type *kind* and its *content*, which say something of the next member."""
    return _block(name, 0o644, len(content), 0, kind, b"") + padded(content, BLOCK)


def end_marker(position: int) -> bytes:
    """Return the end marker behind *position* bytes of tar, and padding up to a whole record."""
    marker = 2 * BLOCK
    return bytes(marker + -(position + marker) % RECORD)
