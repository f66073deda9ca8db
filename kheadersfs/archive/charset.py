"""Reads names in UTF-8, whatever the user's locale is.

libarchive converts the names in pax headers from UTF-8 to the charset of the calling thread's
locale. An archive must have the same names for every user, so libarchive is called in the locale
C.UTF-8.
"""

from __future__ import annotations

import ctypes
from functools import cache

_LC_CTYPE_MASK = 1
_UTF8_LOCALE = b"C.UTF-8"


@cache
def _library() -> ctypes.CDLL:
    """Return the C library."""
    library = ctypes.CDLL(None)
    library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    library.uselocale.argtypes = (ctypes.c_void_p,)
    library.newlocale.restype = library.uselocale.restype = ctypes.c_void_p
    return library


@cache
def prepare() -> int | None:
    """Return the locale C.UTF-8, None if the machine has none; then the user's locale is used.

    The first call reads it from a file, so it must come before the process gives up its rights.
    """
    locale: int | None = _library().newlocale(_LC_CTYPE_MASK, _UTF8_LOCALE, None)
    return locale


class Utf8Names:
    """A context manager that gives the calling thread the locale C.UTF-8. It cannot be nested."""

    __slots__ = ("_before", "_use")

    def __init__(self) -> None:
        self._use = _library().uselocale
        self._before: int | None = None

    def __enter__(self) -> None:
        self._before = self._use(prepare())

    def __exit__(self, *_: object) -> None:
        self._use(self._before)
