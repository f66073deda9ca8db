"""The table of compressions: what a file begins with, and what follows from that.

Whoever adds one adds a class here, and the module that it speaks for.
"""

from __future__ import annotations

from kheadersfs.archive.compression import lz4
from kheadersfs.archive.compression.kind import (
    BZIP2_MAGIC,
    GZIP_MAGIC,
    LZ4_LEGACY_MAGIC,
    LZ4_MAGIC,
    XZ_MAGIC,
    ZSTD_MAGIC,
    Compression,
    Framing,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits


class _Xz(Compression):
    name = "xz"
    magics = (XZ_MAGIC,)

    def frame(self, source: Source, limits: Limits) -> Framing:
        """See Compression.frame."""
        from kheadersfs.archive.compression import xz  # 2 ms, which only files of this kind pay
        from kheadersfs.archive.compression.xz_blocks import XzBlocks

        blocks = xz.read_blocks(source, limits)
        return Framing(
            XzBlocks(source, blocks, limits), lambda: all(block.check for block in blocks)
        )

    def prepare_blocks(self) -> None:
        """See Compression.prepare_blocks."""
        # It takes 10 ms, which no mount command pays.
        from kheadersfs.archive.compression import xz_coding  # noqa: F401


class _Zstd(Compression):
    name = "zstd"
    magics = (ZSTD_MAGIC,)
    hides_cuts = True

    def frame(self, source: Source, limits: Limits) -> Framing:
        """See Compression.frame. There are no blocks when a frame does not state its size."""
        from kheadersfs.archive.compression import zstd  # 2 ms, which only files of this kind pay
        from kheadersfs.archive.compression.zstd_blocks import ZstdBlocks

        frames = zstd.read_frames(source, limits)
        blocks = None
        if not any(frame.decoded_size == zstd.UNKNOWN for frame in frames):
            blocks = ZstdBlocks(source, frames, limits)
        return Framing(blocks, lambda: zstd.all_checked(source, frames))

    def prepare_blocks(self) -> None:
        """See Compression.prepare_blocks."""
        from kheadersfs.archive.compression import zstd_coding  # imported by frame() already

        zstd_coding.prepare()

    def prepare_stream(self) -> None:
        """See Compression.prepare_stream."""
        # It takes 10 ms, which only files of this kind pay.
        from kheadersfs.archive.compression import zstd_stream  # noqa: F401

    def decompress(self, source: Source, limits: Limits, piece_size: int) -> Iterator[bytes]:
        """See Compression.decompress."""
        # It takes 10 ms, which only files of this kind pay.
        from kheadersfs.archive.compression import zstd_stream

        del limits
        return zstd_stream.decompress(source, piece_size)


class _Gzip(Compression):
    name = "gzip"
    magics = (GZIP_MAGIC,)

    def prepare_stream(self) -> None:
        """See Compression.prepare_stream."""
        # It takes 10 ms, which only files of this kind pay.
        from kheadersfs.archive.compression import streams  # noqa: F401

    def decompress(self, source: Source, limits: Limits, piece_size: int) -> Iterator[bytes]:
        """See Compression.decompress."""
        # It takes 10 ms, which only files of this kind pay.
        from kheadersfs.archive.compression import streams

        del limits
        return streams.decompress(source, self.name, piece_size)


class _Bzip2(_Gzip):
    name = "bzip2"
    magics = (BZIP2_MAGIC,)

    def prepare_stream(self) -> None:
        """See Compression.prepare_stream."""
        import bz2  # noqa: F401 - 1 ms, which only files of this kind pay

        super().prepare_stream()


class _Lz4(Compression):
    name = "lz4"
    magics = (LZ4_MAGIC, LZ4_LEGACY_MAGIC)

    def frame(self, source: Source, limits: Limits) -> Framing:
        """See Compression.frame."""
        source.keep_all()
        checked = lz4.all_checked(source, limits)
        return Framing(None, lambda: checked)

    def prepare_stream(self) -> None:
        """See Compression.prepare_stream."""
        # It takes 18 ms, which only files of this kind pay.
        from kheadersfs.archive.compression import lz4_stream  # noqa: F401

    def decompress(self, source: Source, limits: Limits, piece_size: int) -> Iterator[bytes]:
        """See Compression.decompress."""
        # It takes 18 ms, which only files of this kind pay.
        from kheadersfs.archive.compression import lz4_stream

        return lz4_stream.decompress(source, limits, piece_size)


class _Plain(Compression):
    name = "none"

    def frame(self, source: Source, limits: Limits) -> Framing:
        """See Compression.frame. Nothing shows damage of what is not compressed."""
        del source, limits
        return Framing(None, lambda: False)


KINDS: tuple[Compression, ...] = (_Xz(), _Zstd(), _Gzip(), _Bzip2(), _Lz4())
PLAIN = _Plain()
"""What stands for no compression at all."""


def kind_of(head: bytes) -> Compression | None:
    """Return how a file that begins with *head* is compressed, None if in no way known here."""
    return next((kind for kind in KINDS if head.startswith(kind.magics)), None)
