"""Zstd files for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from kheadersfs.archive.compression import zstd, zstd_coding
from kheadersfs.archive.compression.kind import ZSTD_MAGIC
from kheadersfs.archive.source import BytesSource

if TYPE_CHECKING:
    pass


LEVEL = 3
contents = st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=5)


def write_frames(blocks: list[bytes], seek_table: bool) -> bytes:
    frames = [zstd_coding.encode_frame(block, LEVEL) for block in blocks]
    table = b""
    if seek_table:
        sizes = [(len(frame), len(block)) for frame, block in zip(frames, blocks, strict=True)]
        table = zstd_coding.encode_seek_table(sizes)
    return b"".join(frames) + table


def read_content(file: bytes) -> list[bytes]:
    """Return what each frame of *file* decodes to. Raises DamagedArchive or ValueError."""
    source = BytesSource(file)
    return [
        zstd_coding.decode_frame(
            source.read_at(frame.offset, frame.stored_size), frame.decoded_size
        )
        for frame in zstd.read_frames(source)
    ]


def raw_block(content: bytes, is_last: bool = True) -> bytes:
    return (len(content) << 3 | is_last).to_bytes(3, "little") + content


START = ZSTD_MAGIC + b"\xa0" + bytes(4)
"""The header of a frame that states its size in 4 bytes."""
SAMPLE = [b"first block " * 20, b"second block " * 30, b"third"]


def seek_table(descriptor: int, entries: list[bytes], count: int) -> bytes:
    content = b"".join(entries) + count.to_bytes(4, "little") + bytes((descriptor,))
    content += (0x8F92EAB1).to_bytes(4, "little")
    return (0x184D2A5E).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def listed(frame: bytes, decoded_size: int) -> bytes:
    return len(frame).to_bytes(4, "little") + decoded_size.to_bytes(4, "little")


SKIPPED = (0x184D2A57).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"
