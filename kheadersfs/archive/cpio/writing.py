"""A member's header, as newc cpio writes it. Nothing of the host gets in."""

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

_LIMIT = 1 << 32


def header(member: Member, number: int, links: int, size: int) -> bytes:
    """Return the newc header of *member* with its name, padded to four bytes.

    *number* stands for the inode, which has *links* names; *size* is that of what follows. Raises
    KheadersfsError for what this format has no room for.
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
    """Return the end marker for a stream of *position* bytes, up to a whole block of 512 bytes.

    With bytes *behind* it, it announces them as its content, so that the kernel, which
    goes on to the next of several archives when it unpacks an initramfs, passes over them.
    """
    marker = _block(TRAILER, 0, 0, 1, 0, behind)
    return marker if behind else marker + bytes(-(position + len(marker)) % BLOCK)
