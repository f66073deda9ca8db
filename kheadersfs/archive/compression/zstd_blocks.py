"""The frames of a zstd file, all of known size."""

from __future__ import annotations

from kheadersfs.archive.blocks.table import BlockTable
from kheadersfs.archive.compression import zstd, zstd_coding
from kheadersfs.archive.compression.cutting import PIECE_SIZE, chunks, cut, is_quick
from kheadersfs.limits import DEFAULT_LIMITS, Limits, Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source


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

    def stored_at(self, number: int) -> tuple[int, int]:
        """See BlockTable.stored_at."""
        frame = self.frames[number]
        return frame.offset, frame.stored_size

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
        if is_quick(len(stored), decoded_size):
            return zstd_coding.decode_frame(stored, decoded_size)
        watch = Stopwatch(self.name, self._limits).watch
        with self._large:
            pieces = zstd_coding.decode_pieces(watch(cut(stored)), decoded_size, PIECE_SIZE)
            return b"".join(watch(pieces))

    def unpack_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """See BlockTable.unpack_pieces."""
        frame = self.frames[number]
        stored = chunks(self.source, frame.offset, frame.stored_size)
        return zstd_coding.decode_pieces(stored, frame.decoded_size, piece_size)
