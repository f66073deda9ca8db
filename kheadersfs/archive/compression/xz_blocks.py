"""The blocks of an .xz file."""

from __future__ import annotations

from kheadersfs.archive.blocks.table import BlockTable
from kheadersfs.archive.compression import xz
from kheadersfs.archive.compression.cutting import PIECE_SIZE, chunks, cut, is_quick
from kheadersfs.limits import DEFAULT_LIMITS, Limits, Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source


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

    def stored_at(self, number: int) -> tuple[int, int]:
        """See BlockTable.stored_at."""
        block = self.blocks[number]
        return block.offset, block.stored_size

    def stored(self, number: int) -> bytes:
        """See BlockTable.stored."""
        block = self.blocks[number]
        return self.source.read_at(block.offset, block.stored_size)

    def plain(self, number: int) -> bytes | None:
        """See BlockTable.plain."""
        return xz.plain_content(self.stored(number), self.blocks[number])

    def unpack(self, number: int, stored: bytes) -> bytes:
        """See BlockTable.unpack."""
        from kheadersfs.archive.compression import xz_coding  # 10 ms, which no mount command pays

        block = self.blocks[number]
        if is_quick(len(stored), block.decoded_size):
            return xz_coding.decode_block(stored, block)
        watch = Stopwatch(self.name, self._limits).watch
        with self._large:
            return b"".join(watch(xz_coding.decode_pieces(watch(cut(stored)), block, PIECE_SIZE)))

    def unpack_pieces(self, number: int, piece_size: int) -> Iterator[bytes]:
        """See BlockTable.unpack_pieces."""
        from kheadersfs.archive.compression import xz_coding  # 10 ms, which no mount command pays

        block = self.blocks[number]
        stored = chunks(self.source, block.offset, block.stored_size)
        return xz_coding.decode_pieces(stored, block, piece_size)
