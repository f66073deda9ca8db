"""File content by extent: decoded blocks, held under a budget, and counted.

Everything here may be called from any thread. ``get`` never decodes and so never blocks;
``decode`` does the slow part for one block; ``read`` is both, for callers without an event loop.
"""

from __future__ import annotations

from _thread import allocate_lock  # threading itself is not needed to mount
from bisect import bisect_right

from kheadersfs.errors import DamagedArchive, RefusedArchive, UnreadableArchive
from kheadersfs.limits import DEFAULT_BUDGET
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.blocks.table import BlockTable


class Counters(Record):
    """What a store has done.

    ``blocks`` is how many there are, ``decoded`` how many were decoded so far and ``damaged`` how
    many could not be; ``held`` is the bytes of those that are held now.
    """

    blocks: int
    decoded: int
    held: int
    damaged: int


class Store:
    """Decoded blocks of one archive. ``budget`` is in bytes of decoded content.

    The block decoded last is held whatever its size: too small a budget is slow, not fatal.
    """

    def __init__(self, blocks: BlockTable, budget: int = DEFAULT_BUDGET) -> None:
        self._blocks = blocks
        self._budget = budget
        # Blocks are in the order of their last use: the first is the one unused for longest.
        self._held: dict[int, bytes] = {}
        self._held_size = 0
        self._failures: dict[int, DamagedArchive | RefusedArchive] = {}
        self._decoded = 0
        self._lock = allocate_lock()

    @property
    def counters(self) -> Counters:
        """The figures of this moment."""
        return Counters(len(self._blocks), self._decoded, self._held_size, len(self._failures))

    @property
    def starts(self) -> Sequence[int]:
        """Where each block starts in the stream, and at last where that ends."""
        return self._blocks.starts

    def count_within_budget(self, count: int) -> int:
        """Return how many of the first *count* blocks can be held at the same time."""
        return min(count, max(0, bisect_right(self._blocks.starts, self._budget) - 1))

    def get(self, start: int, size: int) -> bytes | memoryview | None:
        """Return *size* bytes from *start* of the stream, or None when a block is not held.

        Raises DamagedArchive when the extent lies outside the stream.
        """
        numbers = self._blocks.covering(start, size)
        starts = self._blocks.starts
        pieces: list[memoryview] = []
        for number in numbers:
            with self._lock:
                block = self._held.pop(number, None)
                if block is None:
                    return None
                self._held[number] = block
            first = max(start, starts[number]) - starts[number]
            last = min(start + size, starts[number + 1]) - starts[number]
            pieces.append(memoryview(block)[first:last])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def missing(self, start: int, size: int) -> list[int]:
        """Return the numbers of the blocks that ``get`` would need and that are not held."""
        return [n for n in self._blocks.covering(start, size) if n not in self._held]

    def is_held(self, number: int) -> bool:
        """Tell whether block *number* need not be decoded."""
        return number in self._held

    def decode(self, number: int) -> bytes:
        """Decode block *number*, hold it, and return it.

        Raises DamagedArchive, or RefusedArchive when that takes too long. A block that failed once
        is not tried again, unless it was reading that failed (UnreadableArchive).
        """
        failure = self._failures.get(number)
        if failure is not None:
            raise type(failure)(str(failure))
        try:
            content = self._blocks.decode(number)
        except UnreadableArchive:
            raise
        except (DamagedArchive, RefusedArchive) as error:
            # The exception itself is not kept, as its traceback holds what was decoded.
            self._failures[number] = type(error)(str(error))
            raise
        with self._lock:
            self._decoded += 1
            if number not in self._held:
                self._held[number] = content
                self._held_size += len(content)
                self._shrink(keep=number)
        return content

    def _shrink(self, keep: int) -> None:
        while self._held_size > self._budget:
            oldest = next(iter(self._held))
            if oldest == keep:
                return
            self._held_size -= len(self._held.pop(oldest))

    def read(self, start: int, size: int) -> bytes:
        """Return *size* bytes from *start* of the stream, decoding what is needed.

        Raises DamagedArchive, RefusedArchive.
        """
        starts = self._blocks.starts
        pieces: list[bytes] = []
        for number in self._blocks.covering(start, size):
            first = max(start, starts[number])
            last = min(start + size, starts[number + 1])
            piece = self.get(first, last - first)
            if piece is None:
                content = self.decode(number)
                piece = content[first - starts[number] : last - starts[number]]
            pieces.append(bytes(piece))
        return b"".join(pieces)

    def drop(self, count: int | None = None) -> int:
        """Drop decoded blocks, those of the first *count* or all. Returns their size in bytes."""
        with self._lock:
            numbers = [number for number in self._held if count is None or number < count]
            dropped = sum(len(self._held.pop(number)) for number in numbers)
            self._held_size -= dropped
        return dropped
