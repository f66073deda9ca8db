"""What there is to know of one way of compressing a file, and what files of each begin with."""

from __future__ import annotations

from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits


XZ_MAGIC = b"\xfd7zXZ\x00"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b\x08"
BZIP2_MAGIC = b"BZh"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
LZ4_LEGACY_MAGIC = b"\x02\x21\x4c\x18"
"""What ``lz4 -l`` writes, and the kernel's own build."""


class Framing(Record):
    """What a file's framing says, before anything is decoded.

    ``blocks`` are those of the file when they can be decoded one by one, else None. ``checked``
    returns False when nothing would show damage; it may read for that.
    """

    blocks: BlockTable | None
    checked: Callable[[], bool]


class Compression:
    """One way of compressing; there is one object of each, see kinds.py."""

    name: str
    """What it is called on command lines and in messages."""
    magics: tuple[bytes, ...] = ()
    """What files that are so compressed begin with."""
    hides_cuts = False
    """Whether a file that is cut off between two blocks still seems whole."""

    def frame(self, source: Source, limits: Limits) -> Framing:
        """Look at the framing of *source*.

        Raises DamagedArchive when the file does not look complete, UnsupportedArchive,
        RefusedArchive when there is more to look at than *limits* allow.
        """
        del source, limits
        return Framing(None, lambda: True)

    def prepare_blocks(self) -> None:
        """Import what decoding one of the blocks takes. Raises KheadersfsError."""

    def prepare_stream(self) -> None:
        """Import what decompress() takes. Raises KheadersfsError."""

    def decompress(self, source: Source, limits: Limits, piece_size: int) -> Iterator[bytes]:
        """Yield what *source*, of which no blocks are known, decompresses to.

        No piece has more than *piece_size* bytes. Raises DamagedArchive, UnsupportedArchive,
        RefusedArchive.
        """
        raise NotImplementedError
