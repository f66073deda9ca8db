"""A member's header, as tar and as newc cpio write it. Nothing of the host gets in.

Sources: POSIX.1-2017, pax; the GNU tar manual, "Basic Tar Format"; cpio(5) of libarchive.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from kheadersfs.archive.members import Member

TAR_BLOCK = 512
# GNU tar reads and writes 20 blocks at once, and so expects an archive to be a multiple.
TAR_RECORD = 20 * TAR_BLOCK
NEWC_ALIGNMENT = 4
_NANOSECONDS = 1_000_000_000
_NEWC_LIMIT = 1 << 32
# name, mode, uid, gid, size, mtime, checksum, type, link name, magic and version
_TAR_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s247x")
_GNU_MAGIC = b"ustar  \0"
_ROOT = b"0000000\0"
_NO_CHECKSUM = b" " * 8
_NAME_FIELD = 100
# What GNU tar calls the pseudo-members in front of one whose name or target is too long.
_LONG_LINK = b"././@LongLink"


def aligned(size: int, alignment: int) -> int:
    """Return *size* rounded up to a multiple of *alignment*."""
    return size + -size % alignment


def padded(content: bytes, alignment: int) -> bytes:
    """Return *content* with zeros up to a multiple of *alignment*."""
    return content + bytes(-len(content) % alignment)


def archived_name(name: bytes) -> bytes:
    """Return *name* as tar and cpio list it; the kernel's own archives have ``./`` in front."""
    return b"./" + name if name else b"."


def tar_header(member: Member) -> bytes:
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
    seconds, fraction = divmod(member.mtime, _NANOSECONDS)
    header = _tar_block(name, stat.S_IMODE(member.mode), size, seconds, kind, target)
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


def _tar_block(
    name: bytes, mode: int, size: int, seconds: int, kind: bytes, target: bytes
) -> bytes:
    """Return one header block; what does not fit its field is cut off."""
    fields = (
        name[:_NAME_FIELD],
        b"%07o\0" % mode,
        _ROOT,
        _ROOT,
        _tar_number(size),
        _tar_number(seconds),
        _NO_CHECKSUM,
        kind,
        target[:_NAME_FIELD],
        _GNU_MAGIC,
    )
    block = _TAR_HEADER.pack(*fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _tar_number(value: int) -> bytes:
    """Return *value* for a field of 12 bytes: in octal digits, or in base 256 as GNU tar does."""
    if 0 <= value < 8**11:
        return b"%011o\0" % value
    return ((1 << 95 if value >= 0 else 0) | value & (1 << 96) - 1).to_bytes(12, "big")


def _pseudo_member(name: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a member that says something about the next one."""
    return _tar_block(name, 0o644, len(content), 0, kind, b"") + padded(content, TAR_BLOCK)


def tar_end(position: int) -> bytes:
    """Return the end marker for a stream of *position* bytes, up to a whole record."""
    marker = 2 * TAR_BLOCK
    return bytes(marker + -(position + marker) % TAR_RECORD)


def newc_header(member: Member, number: int, links: int, size: int) -> bytes:
    """Return the newc header of *member* with its name, padded to four bytes.

    *number* stands for the inode, which has *links* names; *size* is that of what follows. Raises
    KheadersfsError for what this format has no room for.
    """
    seconds, fraction = divmod(member.mtime, _NANOSECONDS)
    if size >= _NEWC_LIMIT or not 0 <= seconds < _NEWC_LIMIT or fraction:
        name = os.fsdecode(member.name) or "the archive's root"
        raise KheadersfsError(f"{name}: has a size or a time that cpio cannot hold; use tar")
    return _newc_block(archived_name(member.name), number, member.mode, links, seconds, size)


def _newc_block(name: bytes, number: int, mode: int, links: int, seconds: int, size: int) -> bytes:
    # magic, ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
    numbers = (number, mode, 0, 0, links, seconds, size, 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % value for value in numbers)
    return padded(header + name + b"\0", NEWC_ALIGNMENT)


def newc_end(position: int, behind: int = 0) -> bytes:
    """Return the end marker for a stream of *position* bytes, up to a whole block of 512 bytes.

    With bytes *behind* it, it announces them as its content, so that the kernel, which
    goes on to the next of several archives when it unpacks an initramfs, passes over them.
    """
    marker = _newc_block(b"TRAILER!!!", 0, 0, 1, 0, behind)
    return marker if behind else marker + bytes(-(position + len(marker)) % TAR_BLOCK)
