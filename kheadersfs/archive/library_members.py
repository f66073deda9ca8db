"""The members of an archive, in order, as libarchive reads them; see members.py.

libarchive tries only tar (ustar, pax, GNU) and cpio (newc, crc, odc). It gets bytes that are
decompressed already; see decoding.py.
"""

from __future__ import annotations

import ctypes
import stat
from typing import TYPE_CHECKING

from kheadersfs.archive import charset
from kheadersfs.archive.digits import NANOSECONDS
from kheadersfs.archive.ending import note_on_end
from kheadersfs.archive.entries import EntryStream
from kheadersfs.archive.member import Member
from kheadersfs.archive.sniffing import old_cpio
from kheadersfs.archive.tar.preamble import NOTHING, Preamble, Preambles
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.entries import Buffer
    from kheadersfs.archive.feeding import Feed


class LibraryMembers(EntryStream):
    """The members in *feed*. The content of each can be read before the next step only."""

    def __init__(self, feed: Feed) -> None:
        """Find out the format. Raises UnsupportedArchive when it is neither tar nor cpio."""
        super().__init__(feed, ("tar", "cpio"), "none")
        self._preambles = Preambles(self._feed.at)
        self._preamble = NOTHING
        self._format = ""
        declare = self._ffi.ffi
        self._pathname_utf8 = declare("entry_pathname_utf8", [ctypes.c_void_p], ctypes.c_char_p)
        self._position = declare("read_header_position", [ctypes.c_void_p], ctypes.c_int64)
        self._links = declare("entry_nlink", [ctypes.c_void_p], ctypes.c_uint)
        self._device = declare("entry_dev", [ctypes.c_void_p], ctypes.c_uint64)
        self._inode = declare("entry_ino64", [ctypes.c_void_p], ctypes.c_int64)

    def __iter__(self) -> Iterator[Member]:
        """Step through the members. Raises DamagedArchive, UnsupportedArchive."""
        utf8_names = charset.Utf8Names()
        while True:
            with utf8_names:
                member = self._next()
            if member is None:
                return
            yield member

    def _next(self) -> Member | None:
        """Return the next member, None at the end."""
        if not self._step():
            return None
        self._preamble = self._read_preamble()
        return self._member()

    def _read_preamble(self) -> Preamble:
        """Return what the current member's own headers say where libarchive is wrong."""
        if self.format != "tar":
            return NOTHING
        try:
            return self._preambles.read(self._position(self._archive))
        except ValueError as error:
            raise DamagedArchive(
                f"{self._name}: is damaged ({error}); make or fetch it again"
            ) from error

    def note_on_end(self) -> str:
        """Return a note on the end of the archive, once all members were read; see ending.py.

        Raises what the source raises.
        """
        return note_on_end(self.format, self._feed.rest(self._position(self._archive)))

    def _member(self) -> Member:
        """Return the current member as tar would extract it."""
        ffi, entry = self._ffi, self._entry
        name: bytes = ffi.entry_pathname(entry) or self._pathname_utf8(entry) or b""
        mode: int = ffi.entry_mode(entry) & 0xFFFF
        mtime: int = ffi.entry_mtime(entry) * NANOSECONDS + ffi.entry_mtime_nsec(entry)
        size: int = ffi.entry_size(entry)
        if self._preamble is not NOTHING:
            mode, mtime, size = self._preamble.corrected(mode, mtime, size)
        inode: tuple[int, int] | None = None
        if self._links(entry) > 1 and self.format == "cpio":
            inode = self._device(entry), self._inode(entry)
        # In a cpio, libarchive also reports equal inode numbers as hard links, even of directories.
        # These were dealt with above.
        elif (original := ffi.entry_hardlink(entry)) is not None:
            # Some writers repeat the content. Like tar, we take it from the first name.
            return Member(name, mode, mtime, 0, original, True)
        target: bytes | None = ffi.entry_symlink(entry) or b"" if stat.S_ISLNK(mode) else None
        return Member(name, mode, mtime, size, target, False, inode)

    @property
    def format(self) -> str:
        """The format of the archive, "tar" or "cpio", which is known from its first member on.

        Raises UnsupportedArchive for cpio's old binary format.
        """
        if not self._format:
            name: bytes = self._ffi.format_name(self._archive) or b""
            if b"binary" in name:  # libarchive's name of the old format has this word
                raise old_cpio(self._name)
            self._format = "cpio" if b"cpio" in name else "tar"
        return self._format

    def read_into(self, buffer: Buffer, offset: int, length: int) -> None:
        """Read the current member's next *length* bytes into *buffer* at *offset*.

        Holes of sparse files read as zeros. Raises DamagedArchive when there are fewer bytes.
        """
        end = offset + length
        while offset < end:
            count = self._read_data(buffer, offset, end - offset)
            if count == 0:
                if not self._preamble.sparse:
                    raise DamagedArchive(
                        f"{self._name}: a member is shorter than its header says; make or fetch it "
                        "again"
                    )
                # A sparse file may end with a hole, which libarchive does not report.
                count = end - offset
                ctypes.memset(ctypes.byref(buffer, offset), 0, count)
            offset += count
