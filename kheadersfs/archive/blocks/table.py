"""The table of independently decodable blocks.

Laid end to end, what the blocks decode to is one stream of bytes; offsets everywhere above this
module are offsets into that stream. ``decode`` may be called from any thread.
"""

from __future__ import annotations

from _thread import allocate_lock  # threading itself is not needed to mount
from bisect import bisect_right
from itertools import accumulate

from kheadersfs.errors import DamagedArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_LARGEST = (1 << 64) - 1


class BlockTable:
    """Blocks laid end to end: block *i* holds the bytes starts[i] to starts[i + 1].

    ``starts`` has one element more than there are blocks. ``digests``, once an index has
    supplied them, are the SHA-256 of the stored bytes of the first blocks.
    """

    __slots__ = ("_large", "digests", "name", "starts")

    def __init__(self, name: str, decoded_sizes: Iterable[int]) -> None:
        self.name = name
        self.starts: Sequence[int] = tuple(accumulate(decoded_sizes, initial=0))
        if self.starts[-1] > _LARGEST:
            raise DamagedArchive(
                f"{name}: claims to decompress to more than there can be; fetch it again"
            )
        self.digests: Sequence[bytes] = ()
        # Whoever decodes a large block holds this lock, as a large block takes twice its size of
        # memory meanwhile.
        self._large = allocate_lock()

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def total(self) -> int:
        """Size of the whole stream in bytes."""
        return self.starts[-1]

    def covering(self, start: int, size: int) -> range:
        """Return the numbers of the blocks that hold *size* bytes from *start*.

        Raises DamagedArchive when they are not all inside the stream.
        """
        end = start + size
        if start < 0 or size < 0 or end > self.starts[-1]:
            raise DamagedArchive(
                f"{self.name}: an extent of {size} bytes at {start} lies outside the archive"
            )
        if size == 0:
            return range(0)
        first = bisect_right(self.starts, start) - 1
        last = first
        while self.starts[last + 1] < end:
            last += 1
        return range(first, last + 1)

    def decode(self, number: int) -> bytes:
        """Return the content of block *number*, checked.

        Raises DamagedArchive, or RefusedArchive when it takes too long.
        """
        stored = self.stored(number)
        try:
            if number < len(self.digests):
                self._check_digest(number, stored)
            return self.unpack(number, stored)
        except ValueError as error:
            raise self._damaged(number, error) from error

    def stored_size(self, number: int) -> int:
        """Return how many bytes block *number* takes, compressed."""
        raise NotImplementedError

    def stored_at(self, number: int) -> tuple[int, int]:
        """Return where in its file block *number* is: offset and size in bytes."""
        raise NotImplementedError

    def largest(self, numbers: range) -> int:
        """Return the size in bytes of the largest of the blocks *numbers*, stored or decoded."""
        starts = self.starts
        sizes = [max(starts[n + 1] - starts[n], self.stored_size(n)) for n in numbers]
        return max(sizes, default=0)

    def stored_total(self, count: int) -> int:
        """Return how many bytes the first *count* blocks take, compressed."""
        return sum(map(self.stored_size, range(count)))

    @property
    def held(self) -> int:
        """Bytes of memory that the compressed blocks take: none while they are in a file."""
        return 0

    def compress_some(self) -> bool:
        """Compress some blocks of those that are held as they are. Returns whether more are."""
        return False

    def release(self) -> int:
        """Let go of blocks that are held and can be had again. Returns how many bytes they were."""
        return 0

    def decode_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """Yield the content of block *number* in pieces, which are not verified before the end.

        Raises DamagedArchive.
        """
        try:
            yield from self.unpack_pieces(number, piece_size)
        except ValueError as error:
            raise self._damaged(number, error) from error

    def _damaged(self, number: int, error: ValueError) -> DamagedArchive:
        return DamagedArchive(
            f"{self.name}: block {number} of {len(self)} is damaged: {error}; "
            "make or fetch the archive again"
        )

    def stored(self, number: int) -> bytes:
        """Return the stored, compressed bytes of block *number*."""
        raise NotImplementedError

    def plain(self, number: int) -> bytes | None:
        """Return the content of block *number* if it is stored as it is, None if compressed.

        Nothing is checked. Raises DamagedArchive when it cannot be read.
        """
        raise NotImplementedError

    def unpack(self, number: int, stored: bytes) -> bytes:
        """Return what *stored* decodes to. Raises ValueError."""
        raise NotImplementedError

    def unpack_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """Yield what block *number* decodes to. Raises ValueError."""
        raise NotImplementedError

    def _check_digest(self, number: int, stored: bytes) -> None:
        from kheadersfs.digests import sha256  # 5 ms, which only archives with an index pay

        if sha256(stored).digest() != self.digests[number]:
            raise ValueError("its SHA-256 is not the one in the index")
