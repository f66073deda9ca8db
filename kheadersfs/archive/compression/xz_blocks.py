"""The blocks of an .xz file."""

from __future__ import annotations

from kheadersfs.archive.compression import xz
from kheadersfs.archive.compression.file_blocks import FileBlocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class XzBlocks(FileBlocks):
    """The blocks of an .xz file."""

    __slots__ = ()

    blocks: Sequence[xz.XzBlock]

    def plain(self, number: int) -> bytes | None:
        """See BlockTable.plain."""
        return xz.plain_content(self.stored(number), self.blocks[number])

    def decode_whole(self, number: int, stored: bytes) -> bytes:
        """See FileBlocks.decode_whole."""
        from kheadersfs.archive.compression import xz_coding  # 10 ms, which no mount command pays

        return xz_coding.decode_block(stored, self.blocks[number])

    def decode_gradually(
        self, number: int, stored: Iterable[bytes], piece_size: int
    ) -> Iterator[bytes]:
        """See FileBlocks.decode_gradually."""
        from kheadersfs.archive.compression import xz_coding  # 10 ms, which no mount command pays

        return xz_coding.decode_pieces(stored, self.blocks[number], piece_size)
