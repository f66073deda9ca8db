"""Whether the kernel has a file's pages: mincore(2)."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FAILED = ctypes.c_void_p(-1).value


def is_cached(path: Path) -> bool:
    """Tell whether the kernel has the first page of the file *path*, which is not read for that.

    Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    with path.open("rb") as file:
        size = mmap.PAGESIZE
        start = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
        if start == _FAILED:
            raise OSError(ctypes.get_errno(), "mmap")
        there = ctypes.create_string_buffer(1)
        failed = libc.mincore(start, size, there)
        number = ctypes.get_errno()
        libc.munmap(start, size)
    if failed:
        raise OSError(number, os.strerror(number))
    return bool(there.raw[0] & 1)
