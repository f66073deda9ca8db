"""Call functions of the C library, by the C part of ctypes.

To import ctypes itself takes 2 ms, because it makes a class for each type of C. Only two of these
classes are needed here.
"""

from __future__ import annotations

import _ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    _Simple = _ctypes._SimpleCData[int]
else:
    _Simple = _ctypes._SimpleCData

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
"""Flags of setns(2) and unshare(2) for namespaces of mounts and of users.

Source: include/uapi/linux/sched.h.
"""


class _Int(_Simple):
    _type_ = "i"


class UnsignedLong(_Simple):
    """An argument that C declares as unsigned long."""

    _type_ = "L"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


# None opens this program with its libraries; the type annotations do not know that.
_LIBRARY = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]


def call(name: str, *arguments: int | bytes | UnsignedLong | None) -> int:
    """Call the function *name*, which returns an int. Returns its errno if that is -1, else 0.

    An int is passed as a C int, bytes as a C string, None as a null pointer.
    """
    function = _Function(_ctypes.dlsym(_LIBRARY, name))
    return _ctypes.get_errno() if function(*arguments) == -1 else 0
