"""What libarchive finds in what it is fed, one entry after the other."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from kheadersfs.archive.library import import_library
from kheadersfs.errors import DamagedArchive, UnsupportedArchive

if TYPE_CHECKING:
    from kheadersfs.archive.feeding import Feed

    Buffer = ctypes.Array[ctypes.c_char]


def new_buffer(size: int) -> Buffer:
    """Return *size* bytes that libarchive can write to; to be used again and again.

    ctypes makes a type for each size there is, which takes longer than to read a header file.
    """
    return ctypes.create_string_buffer(size)


class EntryStream:
    """An open archive, positioned before its first entry. Not for use by two threads.

    Of libarchive's *formats* only these are looked for, behind the filter *compression* if that is
    not "none". What its functions report is raised as DamagedArchive or UnsupportedArchive.
    """

    def __init__(self, feed: Feed, formats: tuple[str, ...], compression: str) -> None:
        self._ffi = ffi = import_library()
        self._name = feed.name
        self._feed = feed
        self._unread = False
        # libarchive keeps the address of this object, not a reference.
        self._read_callback = ffi.READ_CALLBACK(feed.read)
        self._entry = None
        self._archive = ffi.read_new()
        try:
            self._entry = ffi.entry_new()
            self._open(formats, compression)
        except BaseException:
            self.close()
            raise

    def _open(self, formats: tuple[str, ...], compression: str) -> None:
        ffi = self._ffi
        wanted = [f"filter_{compression}"] if compression != "none" else []
        wanted += [f"format_{name}" for name in formats]
        for name in wanted:
            support = f"read_support_{name}"
            ffi.ffi(support, [ffi.c_archive_p], ctypes.c_int, ffi.check_int)(self._archive)
        try:
            no_open, no_close = ffi.OPEN_CALLBACK(), ffi.CLOSE_CALLBACK()
            ffi.read_open(self._archive, None, no_open, self._read_callback, no_close)
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

    def _step(self) -> bool:
        """Go to the next entry. Returns whether there is one."""
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
        if status == ffi.ARCHIVE_WARN:
            self._check_warning()
        return self._unread

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

    def _read_data(self, buffer: Buffer, offset: int, size: int) -> int:
        """Put up to *size* bytes of the entry's content into *buffer* at *offset*.

        Returns how many; 0 at its end.
        """
        try:
            count: int = self._ffi.read_data(self._archive, ctypes.byref(buffer, offset), size)
        except self._ffi.ArchiveError as error:
            raise self._translated(error) from error
        if count < 0:  # a warning, which is no number of bytes
            raise DamagedArchive(f"{self._name}: a member cannot be read; make or fetch it again")
        return count
