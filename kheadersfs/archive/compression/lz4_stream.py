"""Decompress lz4 files, in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive import raw
from kheadersfs.archive.compression import skippable
from kheadersfs.archive.part import PartSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits


def decompress(source: Source, limits: Limits, piece_size: int) -> Iterator[bytes]:
    """Yield what *source* decompresses to. libarchive skips no frame at its start."""
    start = skippable.first_content(source, limits)
    return raw.decompress(PartSource(source, start, source.size - start), "lz4", piece_size)
