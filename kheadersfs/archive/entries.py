"""Steps through the entries that libarchive finds in the bytes of a feed."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from kheadersfs.archive.library import import_library
from kheadersfs.errors import DamagedArchive, UnsupportedArchive

if TYPE_CHECKING:
    from kheadersfs.archive.feeding import Feed

    Buffer = ctypes.Array[ctypes.c_char]


def new_buffer(size: int) -> Buffer:
    """Return a buffer of *size* bytes that libarchive can write to.

    Use it again for every member. ctypes makes a new type for each size, and that takes longer than
    reading a header file.
    """
    return ctypes.create_string_buffer(size)


class EntryStream:
    """An archive that libarchive reads, before its first entry. Only one thread may use it.

    libarchive tries only *formats*, and decompresses with its filter *compression* unless that is
    "none". Its errors are raised as DamagedArchive or UnsupportedArchive, and those of the feed's
    source as they are.
    """

    def __init__(self, feed: Feed, formats: tuple[str, ...], compression: str) -> None:
        self._ffi = ffi = import_library()
        self._name = feed.name
        self._feed = feed
        self._unread = False
        # libarchive keeps only the address of the callback, so this object has to keep it alive.
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
        """Return the exception to raise for libarchive's *error*.

        That is the failure of the feed if there was one, else an error of kheadersfs.errors.
        """
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
        """Raise DamagedArchive unless the warning is of a name that could not be converted.

        Any other warning is of an extension that libarchive ignored because it did not understand
        it. The extension may have held a name, a size, or the place of the content.
        """
        text: bytes = self._ffi.error_string(self._archive) or b"an extension makes no sense"
        if b"can't be converted" not in text:
            raise DamagedArchive(
                f"{self._name}: is damaged ({text.decode(errors='replace')}); "
                "make or fetch it again"
            )

    def _read_data(self, buffer: Buffer, offset: int, size: int) -> int:
        """Read up to *size* bytes of the entry's content into *buffer* at *offset*.

        Returns how many were read; 0 at the end of the content.
        """
        try:
            count: int = self._ffi.read_data(self._archive, ctypes.byref(buffer, offset), size)
        except self._ffi.ArchiveError as error:
            raise self._translated(error) from error
        if count < 0:  # the code of a warning, not a number of bytes
            raise DamagedArchive(f"{self._name}: a member cannot be read; make or fetch it again")
        return count
