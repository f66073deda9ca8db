"""Names in archives are UTF-8, whatever the user's locale is.

libarchive converts the names in pax headers from UTF-8 to the locale of the thread that asks. The
same archive must have the same names for everybody, so libarchive is asked in the locale C.UTF-8.
"""

from __future__ import annotations

import ctypes
from functools import cache

_LC_CTYPE_MASK = 1
_UTF8_LOCALE = b"C.UTF-8"


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    library.uselocale.argtypes = (ctypes.c_void_p,)
    library.newlocale.restype = library.uselocale.restype = ctypes.c_void_p
    return library


@cache
def prepare() -> int | None:
    """Load the locale, which lies in a file. None where there is none: then the user's must do."""
    locale: int | None = _library().newlocale(_LC_CTYPE_MASK, _UTF8_LOCALE, None)
    return locale


class Utf8Names:
    """Use it in ``with``; in the same thread, not within itself."""

    __slots__ = ("_before", "_use")

    def __init__(self) -> None:
        self._use = _library().uselocale
        self._before: int | None = None

    def __enter__(self) -> None:
        self._before = self._use(prepare())

    def __exit__(self, *_: object) -> None:
        self._use(self._before)
