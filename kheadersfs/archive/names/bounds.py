"""Where the pages of a table begin and end."""

from __future__ import annotations

from kheadersfs.archive.names.page import ROOT
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array


class Bounds(Record):
    """Where the pages of a table begin, and as a last element where the table ends.

    ``entries`` and ``inodes`` are the numbers of each page's first entry and inode. ``children`` is
    the number of the first entry that a directory of the page has; those entries may be in other
    pages.
    """

    entries: array[int]
    inodes: array[int]
    children: array[int]

    @property
    def has_hard_links(self) -> bool:
        """Whether an inode has more than one name. Which names it has only all pages can tell."""
        return self.entries[-1] > self.inodes[-1] - ROOT - 1
