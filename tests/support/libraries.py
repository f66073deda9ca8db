"""Libraries of C that a machine may have."""

from __future__ import annotations

import ctypes


def has_libbpf() -> bool:
    """Tell whether there is libbpf, which writes types as C."""
    try:
        ctypes.CDLL("libbpf.so.1")
    except OSError:
        return False
    return True
