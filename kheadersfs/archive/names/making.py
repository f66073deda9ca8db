"""The pages of an index, each made when it is needed; a table says what is in them."""

from __future__ import annotations

from kheadersfs.bare import Generic, TypeVar
from kheadersfs.errors import DamagedArchive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.names.bounds import Bounds

_Page = TypeVar("_Page")


class Pages(Generic[_Page]):
    """The pages of the file *archive*. May be used from any thread.

    *bounds* says what is in which; *content_size* is the bytes of content of all files. *make*
    makes a page, sound in itself, or raises ValueError.
    """

    __slots__ = ("_archive", "_failures", "_made", "_make", "bounds", "content_size")

    def __init__(
        self, archive: str, bounds: Bounds, content_size: int, make: Callable[[int], _Page]
    ) -> None:
        self.bounds = bounds
        self.content_size = content_size
        self._archive = archive
        self._make = make
        self._made: list[_Page | None] = [None] * (len(bounds.entries) - 1)
        self._failures: dict[int, str] = {}

    def __len__(self) -> int:
        """Count the pages."""
        return len(self._made)

    def page(self, number: int) -> _Page:
        """Return page *number*. Raises DamagedArchive."""
        page = self._made[number]
        if page is None:
            if number in self._failures:
                raise DamagedArchive(self._failures[number])
            try:
                # Two threads may both make a page. They make the same one.
                page = self._made[number] = self._make(number)
            except ValueError as error:
                self._failures[number] = unusable(self._archive, error)
                raise DamagedArchive(self._failures[number]) from error
        return page

    def failure(self, error: ValueError) -> DamagedArchive:
        """Return what to raise when the index is in *error*."""
        return DamagedArchive(unusable(self._archive, error))


def unusable(archive: str, error: ValueError) -> str:
    """Return what to say of an *archive* whose index is in *error*."""
    return f"{archive}: its index cannot be used: {error}; write one anew: kheadersfs repack"
