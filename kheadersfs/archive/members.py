"""The members of an archive as one stream, through libarchive; its only importer.

libarchive reads tar (ustar, pax, GNU) and cpio (newc, crc, odc), and only those are switched on. It
is given what is decompressed already (see decoding.py), but also decompresses lz4, for which the
standard library has nothing.
"""

from __future__ import annotations

import ctypes
import logging
import stat
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive import charset
from kheadersfs.archive.ending import note_on_end
from kheadersfs.archive.feeding import Feed
from kheadersfs.archive.sniffing import old_cpio
from kheadersfs.archive.tar.preamble import NOTHING, Preamble, Preambles
from kheadersfs.errors import DamagedArchive, KheadersfsError, UnsupportedArchive
from kheadersfs.importing import stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from kheadersfs.archive.source import Source

    Buffer = ctypes.Array[ctypes.c_char]

FORMATS = ("tar", "cpio")
_LIBRARY = "libarchive.so.13"


class Member(NamedTuple):
    """One member's header.

    ``name`` and ``target`` are raw bytes as the archive has them. ``mode`` is st_mode, type
    included; ``mtime`` is in nanoseconds; ``size`` counts the bytes of content that follow.
    ``target`` is what a symlink or a hard link points to; ``hard_link`` tells them apart. cpio has
    no hard links: there ``inode`` is what all its names have in common, None if it has but one.
    """

    name: bytes
    mode: int
    mtime: int
    size: int
    target: bytes | None
    hard_link: bool
    inode: tuple[int, int] | None = None


def new_buffer(size: int) -> Buffer:
    """Return *size* bytes that libarchive can write to; to be used again and again.

    ctypes makes a type for each size there is, which takes longer than to read a header file.
    """
    return ctypes.create_string_buffer(size)


def import_library() -> ModuleType:
    """Return libarchive's functions, loaded, so that ``open_members`` needs no file any more.

    Where the library is, libarchive-c asks ldconfig, through ctypes.util, which imports subprocess:
    20 ms for a name that has not changed since 2010. Raises KheadersfsError when it is missing.
    """
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        known: dict[str, dict[str, object]] = {}
    else:
        known = {"ctypes.util": {"find_library": lambda _name: _LIBRARY}}
    try:
        with stand_ins(known):
            from libarchive import ffi
    except (ImportError, OSError, AttributeError) as error:  # no package, or no library for it
        raise KheadersfsError(
            f"libarchive cannot be loaded: {error}; "
            "install it, and: pip install libarchive-c (Debian: apt install libarchive13)"
        ) from error

    import shlex  # noqa: F401 - for old_cpio()

    charset.prepare()
    # It warns of names that are not UTF-8, and hands them over as they are: nothing is wrong.
    logging.getLogger("libarchive").setLevel(logging.ERROR)
    library: ModuleType = ffi
    return library


class MemberStream:
    """An open archive, positioned before its first member. Not for use by two threads."""

    def __init__(self, source: Source, formats: tuple[str, ...], compression: str) -> None:
        self._ffi = ffi = import_library()
        self._name = source.name
        self._feed = Feed(source)
        self._preambles = Preambles(self._feed.at) if formats == FORMATS else None
        self._preamble = NOTHING
        self._unread = False
        self._format = ""
        # libarchive keeps the address of this object, not a reference.
        self._read_callback = ffi.READ_CALLBACK(self._feed.read)
        self._entry = None
        self._archive = ffi.read_new()
        try:
            self._entry = ffi.entry_new()
            self._pathname_utf8 = ffi.ffi("entry_pathname_utf8", [ctypes.c_void_p], ctypes.c_char_p)
            self._position = ffi.ffi("read_header_position", [ctypes.c_void_p], ctypes.c_int64)
            self._links = ffi.ffi("entry_nlink", [ctypes.c_void_p], ctypes.c_uint)
            self._device = ffi.ffi("entry_dev", [ctypes.c_void_p], ctypes.c_uint64)
            self._inode = ffi.ffi("entry_ino64", [ctypes.c_void_p], ctypes.c_int64)
            self._open(formats, compression)
        except BaseException:
            self.close()
            raise

    def _open(self, formats: tuple[str, ...], compression: str) -> None:
        ffi = self._ffi
        if compression != "none":
            ffi.get_read_filter_function(compression)(self._archive)
        for format_name in formats:
            ffi.get_read_format_function(format_name)(self._archive)
        try:
            ffi.read_open(self._archive, None, ffi.NO_OPEN_CB, self._read_callback, ffi.NO_CLOSE_CB)
        except ffi.ArchiveError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Free what libarchive holds. The stream cannot be used afterwards."""
        if self._entry is not None:
            self._ffi.entry_free(self._entry)
            self._entry = None
        if self._archive is not None:
            self._ffi.read_free(self._archive)
            self._archive = None

    def _translated(self, error: Exception) -> Exception:
        """Return what is behind libarchive's *error*, as one of ours."""
        if self._feed.failure is not None:
            return self._feed.failure
        text = str(getattr(error, "msg", None) or "libarchive cannot read it").strip()
        if "Unrecognized archive format" in text:
            return UnsupportedArchive(
                f"{self._name}: holds neither tar nor cpio; "
                "give an archive of kernel headers in one of these"
            )
        return DamagedArchive(
            f"{self._name}: is damaged or truncated ({text}); make or fetch it again"
        )

    def __iter__(self) -> Iterator[Member]:
        """Step through the members. The content of each can be read until the next step."""
        utf8_names = charset.Utf8Names()
        while True:
            with utf8_names:
                member = self._next()
            if member is None:
                return
            yield member

    def _next(self) -> Member | None:
        """Return the next member, None at the end."""
        ffi, feed = self._ffi, self._feed
        try:
            if self._unread:
                ffi.read_data_skip(self._archive)
            feed.holding = True
            status = ffi.read_next_header2(self._archive, self._entry)
        except ffi.ArchiveError as error:
            raise self._translated(error) from error
        feed.holding = False
        self._unread = status != ffi.ARCHIVE_EOF
        if status == ffi.ARCHIVE_EOF:
            return None
        if status == ffi.ARCHIVE_WARN:
            self._check_warning()
        self._preamble = self._read_preamble()
        return self._member()

    def _read_preamble(self) -> Preamble:
        """Return what tar's own headers say of the current member."""
        if self._preambles is None or self.format != "tar":
            return NOTHING
        try:
            return self._preambles.read(self._position(self._archive))
        except ValueError as error:
            raise DamagedArchive(
                f"{self._name}: is damaged ({error}); make or fetch it again"
            ) from error

    def note_on_end(self) -> str:
        """Return what is odd about how the archive ends, of which all members were read.

        Raises what the source raises.
        """
        return note_on_end(self.format, self._feed.rest(self._position(self._archive)))

    def _check_warning(self) -> None:
        """Raise DamagedArchive unless the warning is of a name in another encoding.

        Others are of extensions that libarchive did not understand and went on without, though
        they may have held a name, a size, or where the content is.
        """
        text: bytes = self._ffi.error_string(self._archive) or b"an extension makes no sense"
        if b"can't be converted" not in text:
            raise DamagedArchive(
                f"{self._name}: is damaged ({text.decode(errors='replace')}); "
                "make or fetch it again"
            )

    def _member(self) -> Member:
        ffi, entry = self._ffi, self._entry
        name: bytes = ffi.entry_pathname(entry) or self._pathname_utf8(entry) or b""
        mode: int = ffi.entry_mode(entry) & 0xFFFF
        mtime: int = ffi.entry_mtime(entry) * 1_000_000_000 + ffi.entry_mtime_nsec(entry)
        size: int = ffi.entry_size(entry)
        if self._preamble is not NOTHING:
            mode, mtime, size = self._preamble.corrected(mode, mtime, size)
        inode: tuple[int, int] | None = None
        if self._links(entry) > 1 and self.format == "cpio":
            inode = self._device(entry), self._inode(entry)
        # Of cpio's numbers it makes hard links too, also of those of directories.
        elif (original := ffi.entry_hardlink(entry)) is not None:
            # Some writers repeat the content; like tar we take it from the first name.
            return Member(name, mode, mtime, 0, original, True)
        target: bytes | None = ffi.entry_symlink(entry) or b"" if stat.S_ISLNK(mode) else None
        return Member(name, mode, mtime, size, target, False, inode)

    def require_one_layer(self) -> None:
        """Raise UnsupportedArchive when libarchive has found one compression inside another."""
        if self._ffi.filter_count(self._archive) > 2:  # one is the reading itself
            raise UnsupportedArchive(
                f"{self._name}: is compressed more than once; decompress it once"
            )

    @property
    def format(self) -> str:
        """Which of the two formats the archive is written in, as its first member tells.

        It is "tar" or "cpio". Raises UnsupportedArchive for cpio's old format.
        """
        if not self._format:
            name: bytes = self._ffi.format_name(self._archive) or b""
            if b"binary" in name:  # as it says of old cpio
                raise old_cpio(self._name)
            self._format = "cpio" if b"cpio" in name else "tar"
        return self._format

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes of the current member's content, none at its end."""
        buffer = new_buffer(size)
        return ctypes.string_at(buffer, self._read_data(buffer, 0, size))

    def read_into(self, buffer: Buffer, offset: int, length: int) -> None:
        """Put the current member's next *length* bytes into *buffer* at *offset*.

        Holes of sparse files come as zeros. Raises DamagedArchive when there are fewer.
        """
        end = offset + length
        while offset < end:
            count = self._read_data(buffer, offset, end - offset)
            if count == 0:
                if not self._preamble.sparse:
                    raise DamagedArchive(f"{self._name}: a member is shorter than its header says")
                # libarchive ends where the last data do, and does not come to the hole behind.
                count = end - offset
                ctypes.memset(ctypes.byref(buffer, offset), 0, count)
            offset += count

    def _read_data(self, buffer: Buffer, offset: int, size: int) -> int:
        try:
            count: int = self._ffi.read_data(self._archive, ctypes.byref(buffer, offset), size)
        except self._ffi.ArchiveError as error:
            raise self._translated(error) from error
        if count < 0:  # a warning, which is no number of bytes
            raise DamagedArchive(f"{self._name}: a member cannot be read; make or fetch it again")
        return count


@contextmanager
def open_members(source: Source) -> Iterator[MemberStream]:
    """Open *source*, which is not compressed, as a stream of members.

    Raises UnsupportedArchive when there is neither tar nor cpio inside.
    """
    with closing(MemberStream(source, FORMATS, "none")) as stream:
        yield stream


def decompress_lz4(source: Source, piece_size: int) -> Iterator[bytes]:
    """Yield what *source* decompresses to, in pieces.

    Raises DamagedArchive, UnsupportedArchive when that is compressed again.
    """
    with closing(MemberStream(source, ("raw",), "lz4")) as stream:
        for _ in stream:
            stream.require_one_layer()
            while piece := stream.read(piece_size):
                yield piece
