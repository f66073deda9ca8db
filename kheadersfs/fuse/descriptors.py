"""Descriptors of one thread alone.

Source: close_range(2), which Linux has had since 5.9.
"""

from __future__ import annotations

from kheadersfs.mount.libc import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CLOSE_RANGE = 436  # on all architectures; not all C libraries have a function for it
_UNSHARE = 2
_LAST = 0xFFFFFFFF


def keep_in_thread(descriptors: Iterable[int]) -> None:
    """Close all but *descriptors* in the calling thread; the other threads keep theirs.

    What is opened or closed later in this thread, no other thread sees, and the other way round.
    Where the kernel cannot do that, the thread goes on sharing the descriptors of all.
    """
    # There is none of this number to close.
    if call("syscall", _CLOSE_RANGE, _LAST, _LAST, _UNSHARE):
        return
    first = 0
    for descriptor in sorted(descriptors):
        if descriptor > first:
            call("syscall", _CLOSE_RANGE, first, descriptor - 1, 0)
        first = descriptor + 1
    call("syscall", _CLOSE_RANGE, first, _LAST, 0)
