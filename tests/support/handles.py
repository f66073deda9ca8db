"""File handles, as a server of NFS has them: name_to_handle_at(2) and open_by_handle_at(2)."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_AT_FDCWD = -100
_LARGEST = 128
"""Bytes of a handle: MAX_HANDLE_SZ."""


class Handle(ctypes.Structure):
    """The kernel's struct file_handle."""

    _fields_ = (
        ("size", ctypes.c_uint),
        ("type", ctypes.c_int),
        ("content", ctypes.c_ubyte * _LARGEST),
    )


def handle_of(path: Path) -> Handle:
    """Return the handle of *path*. Raises OSError."""
    handle = Handle(_LARGEST)
    libc = ctypes.CDLL(None, use_errno=True)
    mount = ctypes.c_int()
    if libc.name_to_handle_at(
        _AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0
    ):
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return handle


def open_handle(place: Path, handle: Handle) -> int:
    """Open the file with *handle* in the file system that *place* is in. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        descriptor: int = libc.open_by_handle_at(directory, ctypes.byref(handle), os.O_RDONLY)
    finally:
        os.close(directory)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    return descriptor
