"""Give memory back, and keep some in reserve for when there is none left."""

from __future__ import annotations

import contextlib
import ctypes
import mmap

RESERVE_SIZE = 4 << 20
"""Bytes of address space that are held back: each task that reads requests needs a buffer of 1 MiB,
and one that cannot have it keeps all others waiting."""


def trim_heap() -> None:
    """Give freed memory back to the kernel: glibc keeps it unless told otherwise, musl does not."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Reserve:
    """Address space that can be given back at once, when a shortage comes."""

    __slots__ = ("_space",)

    def __init__(self) -> None:
        """Take it. Raises OSError, MemoryError."""
        self._space = _new_space()

    @property
    def is_there(self) -> bool:
        """Whether there is something to give back."""
        return not self._space.closed

    def give_back(self) -> None:
        """Let others have it."""
        self._space.close()

    def take_again(self) -> None:
        """Take it again, if it was given back and there is room by now."""
        if self._space.closed:
            with contextlib.suppress(OSError, MemoryError):
                self._space = _new_space()


def _new_space() -> mmap.mmap:
    return mmap.mmap(-1, RESERVE_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
