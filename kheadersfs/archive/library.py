"""libarchive, by way of libarchive-c, of which this is the only importer."""

from __future__ import annotations

import ctypes
import logging
import shlex  # noqa: F401 - for old_cpio(), when nothing can be imported any more
from typing import TYPE_CHECKING

from kheadersfs.archive import charset
from kheadersfs.errors import KheadersfsError
from kheadersfs.importing import stand_ins

if TYPE_CHECKING:
    from types import ModuleType

_LIBRARY = "libarchive.so.13"


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

    _declare_missing(ffi)
    charset.prepare()
    # libarchive-c warns of names that are not UTF-8, and hands them over unchanged, as is wanted.
    logging.getLogger("libarchive").setLevel(logging.ERROR)
    library: ModuleType = ffi
    return library


def _declare_missing(ffi: ModuleType) -> None:
    """Declare what version 2.9 of libarchive-c, Debian 12's, does not, or as another type."""
    if hasattr(ffi, "c_time_t"):
        return
    ffi.ffi("entry_mtime", [ffi.c_archive_entry_p], ctypes.c_long)
    ffi.ffi("filter_count", [ffi.c_archive_p], ctypes.c_int)
    ffi.ffi("format_name", [ffi.c_archive_p], ctypes.c_char_p)
