"""Giving memory back."""

from __future__ import annotations

import contextlib
import ctypes


def trim_heap() -> None:
    """Give freed memory back to the kernel: glibc keeps it unless told otherwise, musl does not."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
