"""Call the C library, by the part of ctypes that is written in C.

To import the module ctypes takes 2 ms, in which it makes a class of each type of C. Two of these
are needed here.
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
"""Namespaces of mounts and of users (include/uapi/linux/sched.h)."""


class _Int(_Simple):
    _type_ = "i"


class UnsignedLong(_Simple):
    """An unsigned long, which a call has to be given where C declares one."""

    _type_ = "L"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


# None stands for this program, and what is loaded with it.
_LIBRARY = _ctypes.dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]


def call(name: str, *arguments: int | bytes | UnsignedLong | None) -> int:
    """Call the function *name*, which returns -1 when it fails. Returns its errno then, else 0.

    Integers are passed as int of C, bytes as a string.
    """
    function = _Function(_ctypes.dlsym(_LIBRARY, name))
    return _ctypes.get_errno() if function(*arguments) == -1 else 0
