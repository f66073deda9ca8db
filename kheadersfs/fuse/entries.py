"""Make pyfuse3's entries: the attributes of an inode, and for how long the kernel may cache them.

Programs recognise a file by device, inode number, size and times, or by a file handle. Files of two
archives that are mounted in one place, one after the other, may agree in all of these. So the
archive's digest goes into two fields that no archive fills: the generation, which is a part of file
handles, and the fraction of a second in the time of change (st_ctime). It does not go into inode
numbers, because a 32-bit program may have only 32 bits for one.
"""

from __future__ import annotations

import pyfuse3

from kheadersfs.archive.names.page import ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.tree import Attributes

FOREVER = 10.0 * 365 * 86400
"""Seconds for which the kernel may cache an answer; the tree never changes."""
_SECOND = 10**9
"""Nanoseconds in a second."""


class Entries:
    """Makes pyfuse3's entries for the inodes of one archive.

    *owner* is the (uid, gid) of every inode.
    """

    __slots__ = ("_fraction", "_generation", "_gid", "_uid", "missing")

    def __init__(self, owner: tuple[int, int]) -> None:
        self._uid, self._gid = owner
        self._generation = self._fraction = 0
        self.missing = pyfuse3.EntryAttributes()
        """The entry for a name that does not exist. The kernel caches that too."""
        self.missing.st_ino = 0
        self.missing.entry_timeout = FOREVER

    def identify(self, digest: bytes) -> None:
        """Put *digest*, the archive's, into all entries from now on. 12 bytes of it are used."""
        self._generation = int.from_bytes(digest[:4], "big")  # the kernel keeps 32 bits
        self._fraction = int.from_bytes(digest[4:12], "big") % _SECOND

    def entry(self, attributes: Attributes) -> pyfuse3.EntryAttributes:
        """Return *attributes* in pyfuse3's type."""
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = attributes.inode
        # The kernel itself gives the root the generation 0. It would take the root for another file
        # if this said otherwise.
        entry.generation = self._generation if attributes.inode != ROOT else 0
        entry.st_mode = attributes.mode
        entry.st_nlink = attributes.links
        entry.st_uid = self._uid
        entry.st_gid = self._gid
        entry.st_size = attributes.size
        entry.st_blocks = attributes.blocks
        entry.st_blksize = 4096
        entry.st_mtime_ns = entry.st_atime_ns = attributes.mtime
        # The seconds of st_ctime are those of st_mtime. A later time might be in the future, which
        # ccache does not accept.
        entry.st_ctime_ns = attributes.mtime - attributes.mtime % _SECOND + self._fraction
        entry.entry_timeout = entry.attr_timeout = FOREVER
        return entry
