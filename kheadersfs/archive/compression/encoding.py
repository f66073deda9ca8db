"""Compress archives: in blocks where the format has them, so that readers can begin anywhere."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kheadersfs.archive.compression import xz, xz_coding, zstd_coding

if TYPE_CHECKING:
    from collections.abc import Sequence

XZ_PRESET = 6
ZSTD_LEVEL = 19
QUICK_ZSTD_LEVEL = 6
"""For archives that are kept on this machine only. It takes a tenth of the time of ZSTD_LEVEL, and
makes them a seventh larger."""
GZIP_LEVEL = 9
_GZIP_WINDOW = 31  # the largest window, with gzip's header, whose time zlib leaves zero


class Block(NamedTuple):
    """A compressed block: its bytes, and what the file's own table of blocks has to say of it."""

    stored: bytes
    unpadded_size: int
    decoded_size: int


class BlockEncoder(Protocol):
    """Writes files of blocks, each of which can be decoded alone. May be used from any thread."""

    def start(self) -> bytes:
        """Return what comes before the first block."""

    def encode(self, content: bytes) -> Block:
        """Return *content*, compressed."""

    def encode_plain(self, content: bytes) -> Block:
        """Return *content* as a block that has it as it is."""

    def end(self, blocks: Sequence[Block]) -> bytes:
        """Return what comes behind the last of *blocks*: where each of them is."""


class StreamEncoder(Protocol):
    """Writes files that can only be read from their beginning."""

    def compress(self, content: bytes, /) -> bytes:
        """Return what there is to write once *content* was added."""

    def flush(self) -> bytes:
        """Return what is left to write at the end."""


class _Xz:
    def start(self) -> bytes:
        """See BlockEncoder.start."""
        return xz.stream_start()

    def encode(self, content: bytes) -> Block:
        """See BlockEncoder.encode."""
        return Block(*xz_coding.encode_block(content, XZ_PRESET))

    def encode_plain(self, content: bytes) -> Block:
        """See BlockEncoder.encode_plain."""
        return Block(*xz_coding.encode_plain_block(content))

    def end(self, blocks: Sequence[Block]) -> bytes:
        """See BlockEncoder.end."""
        return xz.stream_end([(block.unpadded_size, block.decoded_size) for block in blocks])


class _Zstd:
    def __init__(self, level: int) -> None:
        self._level = level

    def start(self) -> bytes:
        """See BlockEncoder.start."""
        return b""

    def encode(self, content: bytes) -> Block:
        """See BlockEncoder.encode."""
        stored = zstd_coding.encode_frame(content, self._level)
        return Block(stored, len(stored), len(content))

    def encode_plain(self, content: bytes) -> Block:
        """See BlockEncoder.encode_plain."""
        stored = zstd_coding.encode_plain_frame(content)
        return Block(stored, len(stored), len(content))

    def end(self, blocks: Sequence[Block]) -> bytes:
        """See BlockEncoder.end."""
        return zstd_coding.encode_seek_table([(len(b.stored), b.decoded_size) for b in blocks])


class _Plain:
    def compress(self, content: bytes, /) -> bytes:
        """See StreamEncoder.compress."""
        return content

    def flush(self) -> bytes:
        """See StreamEncoder.flush."""
        return b""


BLOCK_ENCODERS: dict[str, BlockEncoder] = {"xz": _Xz(), "zstd": _Zstd(ZSTD_LEVEL)}
"""The encoder of each compression that has blocks, by its name in kinds.py."""
QUICK_ENCODERS: dict[str, BlockEncoder] = {"zstd": _Zstd(QUICK_ZSTD_LEVEL)}


def new_stream_encoder(compression: str) -> StreamEncoder:
    """Return what writes a file of *compression*, "gzip" or "none"."""
    if compression == "gzip":
        return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return _Plain()
