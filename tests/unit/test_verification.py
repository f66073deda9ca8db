"""What verify looks at that nobody who reads members comes to."""

from __future__ import annotations

import pytest

from kheadersfs.archive.compression.xz_blocks import XzBlocks
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, RefusedArchive
from kheadersfs.limits import DEFAULT_LIMITS, Limits
from kheadersfs.reader import HeaderArchive
from kheadersfs.verification import verify
from tests.attacks.forging import END, tar_file, xz_stream
from tests.support.synthetic import altered

BLOCKS = [tar_file(b"f", b"content") + END, *[bytes(5000)] * 3]


def verify_bytes(content: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
    verify(HeaderArchive(Archive(BytesSource(content), limits)), lambda _done, _all: None)


def test_damage_behind_the_last_member_is_found_in_every_block() -> None:
    content = xz_stream(BLOCKS)
    blocks = Archive(BytesSource(content)).blocks
    assert isinstance(blocks, XzBlocks)
    verify_bytes(content)
    for number, block in enumerate(blocks.blocks):
        damaged = altered(content, block.offset + block.stored_size // 2)
        with pytest.raises(DamagedArchive, match=f"block {number} of 4 is damaged"):
            verify_bytes(damaged)


def test_what_lies_behind_the_last_member_is_decoded_within_the_limits() -> None:
    content = xz_stream([*BLOCKS, *[bytes(16 << 20)] * 5])
    with pytest.raises(RefusedArchive, match="--limit ratio="):
        verify_bytes(content)
    verify_bytes(content, Limits(ratio=100_000))
