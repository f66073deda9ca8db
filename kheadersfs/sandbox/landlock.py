"""Landlock: take every right to the file system away, except through descriptors that are open.

Source: landlock(7) and include/uapi/linux/landlock.h. A ruleset says which kinds of access it
handles; what it handles and no rule allows is denied. This one handles all and allows nothing.
"""

from __future__ import annotations

import ctypes
import os

# The same on every architecture but alpha.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION_FLAG = 1

# The kinds of access that each ABI added, as (since, bits).
_FILE_SYSTEM_RIGHTS = ((1, 0x1FFF), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_NETWORK_RIGHTS = ((4, 0x3),)  # bind and connect TCP
_SCOPES = ((6, 0x3),)  # abstract Unix sockets and signals, to processes outside


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


def restrict_thread() -> int:
    """Deny the calling thread, and all it starts from now on, every access by path.

    Needs no_new_privs, or CAP_SYS_ADMIN. Returns the ABI version of the kernel's Landlock.
    Raises OSError when the kernel has none (ENOSYS), or has it switched off (EOPNOTSUPP).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _checked(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG))
    attributes = _RulesetAttributes(
        _rights(_FILE_SYSTEM_RIGHTS, version),
        _rights(_NETWORK_RIGHTS, version),
        _rights(_SCOPES, version),
    )
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = _checked(libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0))
    try:
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return version


def _rights(added: tuple[tuple[int, int], ...], version: int) -> int:
    return sum(bits for since, bits in added if since <= version)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
