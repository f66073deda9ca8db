"""An archive at an address, of which only those bytes are fetched that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.source import Source
from kheadersfs.errors import UnsupportedArchive
from kheadersfs.remote.asking import RemoteFile
from kheadersfs.remote.protocol import ANY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class AddressedSource(Source):
    """The file at *address*. ``name`` is the address without what may be secret."""

    __slots__ = ("_digests", "_extents", "_file")

    is_far = True

    def __init__(self, address: str) -> None:
        """Start the process that fetches. Raises what RemoteFile raises, or UnsupportedArchive.

        The latter means that the file is empty.
        """
        self._file = RemoteFile(address)
        super().__init__(self._file.name, self._file.size)
        self._extents: list[tuple[int, int, bytes]] = []
        self._digests: dict[tuple[int, int], bytes] = {}
        if not self.size:
            raise UnsupportedArchive(f"{self.name}: the file is empty; make and upload it again")

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at."""
        if length <= 0:
            return b""
        return self._file.read(offset, length, self._digests.get((offset, length), ANY))

    def learn(self, extents: Iterable[tuple[int, int, bytes]]) -> None:
        """See Source.learn."""
        self._extents = list(extents)
        self._digests = {(offset, size): digest for offset, size, digest in self._extents}

    def expect(self, count: int) -> None:
        """See Source.expect."""
        if self._extents:
            self._file.expect(self._extents[:count])

    def keep_all(self, tell: Callable[[int, int], None] | None = None) -> None:
        """See Source.keep_all."""
        self._file.keep_all(tell)

    def close(self) -> None:
        """See Source.close."""
        self._file.close()
