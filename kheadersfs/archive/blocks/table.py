"""The table of independently decodable blocks.

Laid end to end, what the blocks decode to is one stream of bytes; offsets everywhere above this
module are offsets into that stream. ``decode`` may be called from any thread.
"""

from __future__ import annotations

from _thread import allocate_lock  # threading itself is not needed to mount
from bisect import bisect_right
from itertools import accumulate

from kheadersfs.archive.compression import xz, zstd
from kheadersfs.errors import DamagedArchive
from kheadersfs.limits import DEFAULT_LIMITS, Limits, Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kheadersfs.archive.source import Source

_LARGEST = (1 << 64) - 1
CHUNK_SIZE = 256 << 10
"""Bytes of a stored block to read at once when it is decoded in pieces."""
QUICK_STORED, QUICK_DECODED = 2 << 20, 9 << 20
"""A block of no more bytes is decoded in one call, which cannot take long: what `pack` makes."""
PIECE_SIZE = 1 << 20
"""Bytes that a larger block decodes to between two looks at the time it takes."""


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
        # Held while a block that is not quick is decoded: it takes twice its size meanwhile.
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
        import hashlib  # 4 ms, which only archives with an index pay

        if hashlib.sha256(stored).digest() != self.digests[number]:
            raise ValueError("its SHA-256 is not the one in the index")


def _is_quick(stored_size: int, decoded_size: int) -> bool:
    return stored_size <= QUICK_STORED and decoded_size <= QUICK_DECODED


def _cut(stored: bytes) -> Iterator[bytes]:
    """Yield *stored* some at a time."""
    for position in range(0, len(stored), CHUNK_SIZE):
        yield stored[position : position + CHUNK_SIZE]


def _chunks(source: Source, offset: int, size: int) -> Iterator[bytes]:
    """Yield *size* bytes of *source* from *offset*, some at a time."""
    for position in range(offset, offset + size, CHUNK_SIZE):
        yield source.read_at(position, min(CHUNK_SIZE, offset + size - position))


class XzBlocks(BlockTable):
    """The blocks of an .xz file."""

    __slots__ = ("_limits", "blocks", "source")

    def __init__(
        self, source: Source, blocks: list[xz.XzBlock], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(source.name, (block.decoded_size for block in blocks))
        self.source = source
        self.blocks = blocks
        self._limits = limits

    def stored_size(self, number: int) -> int:
        """See BlockTable.stored_size."""
        return self.blocks[number].stored_size

    def stored(self, number: int) -> bytes:
        """See BlockTable.stored."""
        block = self.blocks[number]
        return self.source.read_at(block.offset, block.stored_size)

    def plain(self, number: int) -> bytes | None:
        """See BlockTable.plain."""
        return xz.plain_content(self.stored(number), self.blocks[number])

    def unpack(self, number: int, stored: bytes) -> bytes:
        """See BlockTable.unpack."""
        from kheadersfs.archive.compression import xz_coding  # its library is not needed before

        block = self.blocks[number]
        if _is_quick(len(stored), block.decoded_size):
            return xz_coding.decode_block(stored, block)
        watch = Stopwatch(self.name, self._limits).watch
        with self._large:
            return b"".join(watch(xz_coding.decode_pieces(watch(_cut(stored)), block, PIECE_SIZE)))

    def unpack_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """See BlockTable.unpack_pieces."""
        from kheadersfs.archive.compression import xz_coding

        block = self.blocks[number]
        stored = _chunks(self.source, block.offset, block.stored_size)
        return xz_coding.decode_pieces(stored, block, piece_size)


class ZstdBlocks(BlockTable):
    """The frames of a zstd file, all of known size."""

    __slots__ = ("_limits", "frames", "source")

    def __init__(
        self, source: Source, frames: list[zstd.ZstdFrame], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(source.name, (frame.decoded_size for frame in frames))
        self.source = source
        self.frames = frames
        self._limits = limits

    def stored_size(self, number: int) -> int:
        """See BlockTable.stored_size."""
        return self.frames[number].stored_size

    def stored(self, number: int) -> bytes:
        """See BlockTable.stored."""
        frame = self.frames[number]
        return self.source.read_at(frame.offset, frame.stored_size)

    def plain(self, number: int) -> bytes | None:
        """See BlockTable.plain."""
        return zstd.plain_content(self.stored(number), self.frames[number].decoded_size)

    def unpack(self, number: int, stored: bytes) -> bytes:
        """See BlockTable.unpack."""
        decoded_size = self.frames[number].decoded_size
        if _is_quick(len(stored), decoded_size):
            return zstd.decode_frame(stored, decoded_size)
        watch = Stopwatch(self.name, self._limits).watch
        with self._large:
            pieces = zstd.decode_pieces(watch(_cut(stored)), decoded_size, PIECE_SIZE)
            return b"".join(watch(pieces))

    def unpack_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """See BlockTable.unpack_pieces."""
        frame = self.frames[number]
        stored = _chunks(self.source, frame.offset, frame.stored_size)
        return zstd.decode_pieces(stored, frame.decoded_size, piece_size)
