"""Loads libarchive. This is the only module that imports libarchive-c, its bindings."""

from __future__ import annotations

import ctypes
import logging
import shlex  # noqa: F401 - old_cpio() quotes with it when nothing can be imported any more
from typing import TYPE_CHECKING

from kheadersfs.archive import charset
from kheadersfs.errors import KheadersfsError
from kheadersfs.importing import stand_ins

if TYPE_CHECKING:
    from types import ModuleType

_LIBRARY = "libarchive.so.13"
_NO_MEMORY = ("failed to map segment from shared object", "Cannot allocate memory")
"""What the C library says, in no error number, when there is too little memory for a library."""


def import_library() -> ModuleType:
    """Return libarchive's functions, loaded, so that ``open_members`` opens no file any more.

    libarchive-c asks ctypes.util for the name of the library. That imports subprocess and runs
    ldconfig, which takes 20 ms, for a name that has not changed since 2010. So the name is given
    here. Raises KheadersfsError when the library or its bindings are missing, MemoryError when
    there is too little memory for it.
    """
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError as error:
        if any(words in str(error) for words in _NO_MEMORY):
            raise MemoryError from error
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

    _declare_missing(ffi)
    charset.prepare()
    # libarchive-c warns of each name that is not UTF-8, and returns it unchanged. That is wanted
    # here, so nothing is to be logged.
    logging.getLogger("libarchive").setLevel(logging.ERROR)
    library: ModuleType = ffi
    return library


def _declare_missing(ffi: ModuleType) -> None:
    """Declare the functions that libarchive-c 2.9, Debian 12's, lacks or declares wrongly."""
    if hasattr(ffi, "c_time_t"):
        return
    ffi.ffi("entry_mtime", [ffi.c_archive_entry_p], ctypes.c_long)
    ffi.ffi("filter_count", [ffi.c_archive_p], ctypes.c_int)
    ffi.ffi("format_name", [ffi.c_archive_p], ctypes.c_char_p)
