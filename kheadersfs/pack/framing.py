"""A member's header, as tar and as newc cpio write it. Nothing of the host gets in.

Sources: POSIX.1-2017, pax; the GNU tar manual, "Basic Tar Format"; cpio(5) of libarchive.
"""

from __future__ import annotations

import os
import stat
import tarfile
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError

if TYPE_CHECKING:
    from kheadersfs.archive.members import Member

TAR_BLOCK = 512
# GNU tar reads and writes 20 blocks at once, and so expects an archive to be a multiple.
TAR_RECORD = 20 * TAR_BLOCK
_NANOSECONDS = 1_000_000_000
_NEWC_LIMIT = 1 << 32


def tar_header(member: Member) -> bytes:
    """Return the tar header of *member*, with what GNU and POSIX put before it where needed.

    The name gets the ``./`` in front that the kernel's own archives have. Old tar's header
    says everything about almost every header file; a long name takes a GNU one in front,
    which holds any bytes, and a time that is not a whole second a POSIX one.
    """
    info = tarfile.TarInfo(os.fsdecode(archived_name(member.name)))
    info.mode = stat.S_IMODE(member.mode)
    info.mtime, fraction = divmod(member.mtime, _NANOSECONDS)
    if member.hard_link:
        info.type = tarfile.LNKTYPE
        info.linkname = os.fsdecode(archived_name(member.target or b""))
    elif stat.S_ISDIR(member.mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(member.mode):
        info.type = tarfile.SYMTYPE
        info.linkname = os.fsdecode(member.target or b"")
    else:
        info.size = member.size
    header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    return (_pax_time(info.mtime, fraction) if fraction else b"") + header


def archived_name(name: bytes) -> bytes:
    """Return *name* as tar and cpio list it."""
    return b"./" + name if name else b"."


def _pax_time(seconds: int, fraction: int) -> bytes:
    """Return a POSIX extended header that says when to the nanosecond."""
    record = f"mtime={seconds}.{fraction:09}\n"
    length = len(record) + 3  # with two digits and a space, as it is never shorter or longer
    content = f"{length} {record}".encode()
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    info.size = len(content)
    header = info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    return header + padded(content, TAR_BLOCK)


def padded(content: bytes, alignment: int) -> bytes:
    """Return *content* with zeros up to a multiple of *alignment*."""
    return content + bytes(-len(content) % alignment)


def newc_header(member: Member, number: int, links: int, size: int) -> bytes:
    """Return the newc header of *member* with its name, padded to four bytes.

    *number* stands for the inode, which has *links* names; *size* is that of what follows. Raises
    KheadersfsError for what this format has no room for.
    """
    seconds = member.mtime // _NANOSECONDS
    if size >= _NEWC_LIMIT or not 0 <= seconds < _NEWC_LIMIT:
        raise KheadersfsError(
            f"{os.fsdecode(member.name)}: has a size or time that cpio cannot hold; use tar"
        )
    name = archived_name(member.name) + b"\0"
    # magic, ino, mode, uid, gid, nlink, mtime, filesize, four device numbers, namesize, check
    numbers = (number, member.mode, 0, 0, links, seconds, size, 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in numbers)
    return padded(header + name, 4)


NEWC_TRAILER = padded(
    b"070701"
    + b"".join(b"%08X" % value for value in (*[0] * 4, 1, *[0] * 6, 11, 0))
    + b"TRAILER!!!\0",
    4,
)
