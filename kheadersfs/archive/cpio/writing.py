"""Writes the newc headers of members. Nothing of the host gets in, such as users or inodes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kheadersfs.archive.cpio.fields import ALIGNMENT, MAGIC, TRAILER
from kheadersfs.archive.digits import NANOSECONDS, padded
from kheadersfs.archive.member import archived_name
from kheadersfs.archive.tar.fields import BLOCK
from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from kheadersfs.archive.member import Member

_LIMIT = 1 << 32  # a number in a header has 8 hexadecimal digits


def header(member: Member, number: int, links: int, size: int) -> bytes:
    """Return the newc header of *member* with its name, padded to a multiple of four bytes.

    *number* is the inode number to write, and *links* the number of its names. *size* is that of
    the content in bytes; a symlink's content is its target. Raises KheadersfsError for a size or a
    time that the format cannot hold.
    """
    seconds, fraction = divmod(member.mtime, NANOSECONDS)
    if size >= _LIMIT or not 0 <= seconds < _LIMIT or fraction:
        name = os.fsdecode(member.name) or "the archive's root"
        raise KheadersfsError(f"{name}: has a size or a time that cpio cannot hold; use tar")
    return _block(archived_name(member.name), number, member.mode, links, seconds, size)


def _block(name: bytes, number: int, mode: int, links: int, seconds: int, size: int) -> bytes:
    # magic, ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
    numbers = (number, mode, 0, 0, links, seconds, size, 0, 0, 0, 0, len(name) + 1, 0)
    header = MAGIC + b"".join(b"%08X" % value for value in numbers)
    return padded(header + name + b"\0", ALIGNMENT)


def end_marker(position: int, behind: int = 0) -> bytes:
    """Return the end marker behind *position* bytes of cpio, and padding to a block of 512 bytes.

    If *behind* is not 0, so many bytes follow the marker, which is not padded and states them as
    its content. The kernel, which looks for another archive behind the marker when it unpacks an
    initramfs, then skips them.
    """
    marker = _block(TRAILER, 0, 0, 1, 0, behind)
    return marker if behind else marker + bytes(-(position + len(marker)) % BLOCK)
