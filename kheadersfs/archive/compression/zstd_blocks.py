"""The frames of a zstd file, all of known size."""

from __future__ import annotations

from kheadersfs.archive.compression import zstd, zstd_coding
from kheadersfs.archive.compression.file_blocks import FileBlocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ZstdBlocks(FileBlocks):
    """The frames of a zstd file, all of known size: each is a block."""

    __slots__ = ()

    def plain(self, number: int) -> bytes | None:
        """See BlockTable.plain."""
        return zstd.plain_content(self.stored(number), self.blocks[number].decoded_size)

    def decode_whole(self, number: int, stored: bytes) -> bytes:
        """See FileBlocks.decode_whole."""
        return zstd_coding.decode_frame(stored, self.blocks[number].decoded_size)

    def decode_gradually(
        self, number: int, stored: Iterable[bytes], piece_size: int
    ) -> Iterator[bytes]:
        """See FileBlocks.decode_gradually."""
        return zstd_coding.decode_pieces(stored, self.blocks[number].decoded_size, piece_size)
