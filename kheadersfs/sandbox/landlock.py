"""Landlock: take every right to the file system away, except through descriptors that are open.

Source: landlock(7) and include/uapi/linux/landlock.h. A ruleset says which kinds of access it
handles; what it handles and no rule allows is denied. This one handles all, and allows nothing but
what the caller lists.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# These numbers are the same on every architecture but alpha.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_VERSION_FLAG = 1

# The kinds of access that each ABI added, as (since, bits).
_FILE_SYSTEM_RIGHTS = ((1, 0x1FFF), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_BIND, _CONNECT = 0x1, 0x2  # TCP
_NETWORK_RIGHTS = ((4, _BIND | _CONNECT),)
_SCOPES = ((6, 0x3),)  # abstract Unix sockets and signals, to processes outside

READ = 1 << 2
"""The right to read a file."""
KEEP = READ | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 14
"""The rights to list a directory, and to read, write, make, truncate and remove files in it."""


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # without bit fields no other than gcc's; Python 3.19 wants it said
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent", ctypes.c_int32))


_NO_PATHS: Mapping[str, int] = {}


def restrict_thread(paths: Mapping[str, int] = _NO_PATHS, may_connect: bool = False) -> int:
    """Deny the calling thread, and all it starts from now on, every access by path.

    *paths* are exceptions: what is there and below may be used as the rights say, if it exists. It
    *may_connect* to any address by TCP if that is true, and bind to none.
    Needs no_new_privs, or CAP_SYS_ADMIN. Returns the ABI version of the kernel's Landlock.
    Raises OSError when the kernel has none (ENOSYS), or has it switched off (EOPNOTSUPP).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _checked(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG))
    attributes = _RulesetAttributes(
        _rights(_FILE_SYSTEM_RIGHTS, version),
        _rights(_NETWORK_RIGHTS, version) & ~(_CONNECT if may_connect else 0),
        _rights(_SCOPES, version),
    )
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = _checked(libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0))
    try:
        for path, rights in paths.items():
            _allow(libc, ruleset, path, rights & attributes.handled_access_fs)
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return version


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _PathBeneath(rights, place)
        _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(place)


def _rights(added: tuple[tuple[int, int], ...], version: int) -> int:
    return sum(bits for since, bits in added if since <= version)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
