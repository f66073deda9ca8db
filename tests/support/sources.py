"""Sources that tell how they are read."""

from __future__ import annotations

from kheadersfs.archive.source import BytesSource


class CountingSource(BytesSource):
    """An archive in memory that counts how often it is read."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return super().read_at(offset, length)
