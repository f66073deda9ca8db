"""Tell the kernel the attributes of an inode, and for how long they hold.

Programs remember a file by device, inode number, size and times, or by a file handle. Two archives
that are mounted in one place, one after the other, may agree in all of these. So the archive's
digest goes into two fields that no archive fills: the generation, which is a part of file handles,
and the fraction of a second of the time of change. It does not go into inode numbers, as those of a
32-bit program have room for little more than the names of an archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyfuse3

from kheadersfs.archive.names.page import ROOT

if TYPE_CHECKING:
    from kheadersfs.tree import Attributes

FOREVER = 10.0 * 365 * 86400
"""Seconds that the kernel may believe an answer: the tree never changes."""
_SECOND = 10**9
"""Nanoseconds in a second."""


class Entries:
    """Makes what pyfuse3 takes of the attributes of one archive's inodes.

    *owner* is the (uid, gid) that everything belongs to.
    """

    __slots__ = ("_fraction", "_generation", "_gid", "_uid", "missing")

    def __init__(self, owner: tuple[int, int]) -> None:
        self._uid, self._gid = owner
        self._generation = self._fraction = 0
        self.missing = pyfuse3.EntryAttributes()
        """The lasting news that there is no such name."""
        self.missing.st_ino = 0
        self.missing.entry_timeout = FOREVER

    def identify(self, digest: bytes) -> None:
        """Tell the archive from others by its *digest*, of which the first 12 bytes are used."""
        self._generation = int.from_bytes(digest[:4], "big")  # the kernel keeps 32 bits
        self._fraction = int.from_bytes(digest[4:12], "big") % _SECOND

    def entry(self, attributes: Attributes) -> pyfuse3.EntryAttributes:
        """Return *attributes* as pyfuse3 takes them."""
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = attributes.inode
        # The kernel has set the root's generation to 0 itself. With another, it would take the root
        # for another file.
        entry.generation = self._generation if attributes.inode != ROOT else 0
        entry.st_mode = attributes.mode
        entry.st_nlink = attributes.links
        entry.st_uid = self._uid
        entry.st_gid = self._gid
        entry.st_size = attributes.size
        entry.st_blocks = attributes.blocks
        entry.st_blksize = 4096
        entry.st_mtime_ns = entry.st_atime_ns = attributes.mtime
        # The time of change is in the second of the file's own time. ccache wants no time that is
        # later than now.
        entry.st_ctime_ns = attributes.mtime - attributes.mtime % _SECOND + self._fraction
        entry.entry_timeout = entry.attr_timeout = FOREVER
        return entry
