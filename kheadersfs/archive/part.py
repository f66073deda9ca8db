"""A part of a file as a source of its own, such as an archive inside a package."""

from __future__ import annotations

from kheadersfs.archive.source import Source
from kheadersfs.errors import damaged


class PartSource(Source):
    """*size* bytes of *source* from the offset *start* on.

    Closing this does not close *source*, whose owner has to.
    """

    __slots__ = ("_source", "_start")

    def __init__(self, source: Source, start: int, size: int) -> None:
        """Check the range. Raises DamagedArchive if *source* has fewer bytes."""
        if start + size > source.size:
            raise damaged(source.name, "it ends before its last part does")
        super().__init__(source.name, size)
        self._source = source
        self._start = start

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at."""
        if offset + length > self.size:
            raise damaged(self.name, f"there is nothing at offset {self._start + offset}")
        return self._source.read_at(self._start + offset, length)
