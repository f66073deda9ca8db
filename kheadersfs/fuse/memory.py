"""Give memory back to the kernel, and hold some in reserve for a shortage."""

from __future__ import annotations

import ctypes
import mmap

from kheadersfs.bare import suppress

RESERVE_SIZE = 4 << 20
"""Bytes of address space in reserve. A task that reads requests needs a buffer of 1 MiB. While the
task whose turn it is cannot have one, no request is read."""


def trim_heap() -> None:
    """Give freed memory back to the kernel.

    glibc keeps it until it is told to. musl does not keep it, and has no malloc_trim().
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Reserve:
    """Address space that can be given back at once when there is a shortage.

    Raises OSError or MemoryError when there is none to take.
    """

    __slots__ = ("_space",)

    def __init__(self) -> None:
        self._space = _new_space()

    @property
    def is_there(self) -> bool:
        """Whether the address space is held."""
        return not self._space.closed

    def give_back(self) -> None:
        """Give the address space back."""
        self._space.close()

    def take_again(self) -> None:
        """Take the address space again if it was given back and there is enough now."""
        if self._space.closed:
            with suppress(OSError, MemoryError):
                self._space = _new_space()


def _new_space() -> mmap.mmap:
    return mmap.mmap(-1, RESERVE_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
