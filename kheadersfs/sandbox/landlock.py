"""Deny all access to the file system by path, with Landlock. Open descriptors stay usable.

A ruleset says which kinds of access it handles. An access of such a kind is denied unless a rule
allows it. The ruleset here handles all kinds, and has rules for the paths that the caller lists.

Source: landlock(7) and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# These numbers are the same on every architecture but alpha.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_VERSION_FLAG = 1

# Pairs of an ABI version, and the bits of the kinds of access that it has added.
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
    # Python 3.19 requires this beside _pack_. Without bit fields it is the same layout as gcc's.
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent", ctypes.c_int32))


_NO_PATHS: Mapping[str, int] = {}


def restrict_thread(paths: Mapping[str, int] = _NO_PATHS, may_connect: bool = False) -> int:
    """Deny the calling thread, and all threads and processes that it starts later, access by path.

    *paths* maps paths to the rights that remain for them and what is below; one that does not exist
    is left out. Binding to TCP ports is denied, and connecting too unless *may_connect* is true.

    Needs no_new_privs, or CAP_SYS_ADMIN. Returns the ABI version of the kernel's Landlock. Raises
    OSError when the kernel has none (ENOSYS), or has it switched off (EOPNOTSUPP).
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
    """Add a rule to the descriptor *ruleset* that allows *rights* at *path* and below."""
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
    """Return the bits that the ABI *version* has."""
    return sum(bits for since, bits in added if since <= version)


def _checked(result: int) -> int:
    """Return *result* of a system call. Raises OSError if it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
