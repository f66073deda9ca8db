"""The outline of a table: all that an embedded index says of its pages before they are read."""

from __future__ import annotations

import stat
from itertools import accumulate, pairwise

from kheadersfs.archive.names.bounds import Bounds
from kheadersfs.archive.names.columns import Sections, encode_column
from kheadersfs.archive.names.page import ROOT
from kheadersfs.bare import array
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kheadersfs.archive.names.page import Page
    from kheadersfs.limits import Limits

PAGE_ENTRIES = 2048
"""Entries of a page. Reading as many takes 5 ms, which is no longer than decoding a block."""
MOST_PAGES = 1 << 14
"""Pages that an index may have: enough for 33 million names."""


class Outline(Record):
    """Where levels and pages begin, and how large what is in them can be at most.

    A level has the entries of all directories that are equally deep; the first has the root's.
    """

    bounds: Bounds
    level_starts: array[int]
    """The first entry of each level, and as a last element where the table ends."""
    level_names: array[int]
    """The length of the longest name in each."""
    page_contents: array[int]
    """Bytes of all files in each page."""
    page_blocks: list[array[int]]
    """The blocks with files of each page, in ascending order."""
    largest_file: int
    longest_target: int

    @property
    def content_size(self) -> int:
        """Bytes of all files."""
        return sum(self.page_contents)

    def encode(self) -> bytes:
        """Return the outline as Outline.decode reads it."""
        blocks = [block for blocks in self.page_blocks for block in blocks]
        columns = (
            (self.largest_file, self.longest_target),
            (len(self.page_contents), len(self.level_names)),
            _differences(self.level_starts),
            self.level_names,
            _differences(self.bounds.entries),
            _differences(self.bounds.inodes),
            _differences(self.bounds.children),
            self.page_contents,
            [len(blocks) for blocks in self.page_blocks],
            blocks,
        )
        return b"".join(map(encode_column, columns))

    @classmethod
    def decode(cls, sections: Sections, blocks: int) -> Outline:
        """Return the outline that *sections* go on with, of an archive with so many *blocks*.

        What it says fits together. Raises ValueError.
        """
        largest_file, longest_target = sections.column(2, "Q")
        pages, levels = sections.column(2, "Q")
        if pages > MOST_PAGES:
            raise ValueError(f"it has more than {MOST_PAGES} pages")
        level_starts = _sums(0, sections.column(levels, "I"))
        level_names = sections.column(levels, "I")
        bounds = Bounds(
            _sums(0, sections.column(pages, "I")),
            _sums(ROOT, sections.column(pages, "I")),
            _sums(0, sections.column(pages, "I")),
        )
        contents = sections.column(pages, "Q")
        counts = sections.column(pages, "I")
        if sum(counts) > level_starts[-1]:
            raise ValueError("it has more blocks with files than files")
        joined = sections.column(sum(counts), "I")
        ends = list(accumulate(counts, initial=0))
        page_blocks = [joined[start:end] for start, end in pairwise(ends)]
        outline = cls(
            bounds, level_starts, level_names, contents, page_blocks, largest_file, longest_target
        )
        outline._check(blocks)
        return outline

    def _check(self, blocks: int) -> None:
        """Check that what is said fits together and to so many *blocks*. Raises ValueError."""
        entries = self.level_starts[-1]
        if self.bounds.entries[-1] != entries or self.bounds.children[-1] != entries:
            raise ValueError("its pages do not add up")
        # An empty tree has one page, which has the root and no entry.
        if len(self.page_contents) == 0 or self.bounds.inodes[1] == ROOT:
            raise ValueError("it has no root")
        if 0 in _differences(self.level_starts) or (
            entries and 0 in _differences(self.bounds.entries)
        ):
            raise ValueError("it has a page or a level with nothing in it")
        for numbers in self.page_blocks:
            if any(first >= second for first, second in pairwise(numbers)):
                raise ValueError("its blocks are not sorted")
            if len(numbers) and numbers[-1] >= blocks:
                raise ValueError("it has more blocks than there are")

    def check_limits(self, archive: str, limits: Limits) -> None:
        """Raise RefusedArchive when what *archive* holds can be beyond *limits*.

        No path is longer than the longest names of all levels together.
        """
        levels = len(self.level_names)
        limits.check(
            archive, "members", max(self.bounds.entries[-1], self.bounds.inodes[-1] - ROOT)
        )
        limits.check(archive, "file", self.largest_file)
        limits.check(archive, "total", self.content_size)
        limits.check(archive, "target", self.longest_target)
        limits.check(archive, "depth", levels)
        limits.check(archive, "path", sum(self.level_names) + max(0, levels - 1))


def outline_of(whole: Page, blocks: dict[int, int], page_entries: int = PAGE_ENTRIES) -> Outline:
    """Divide *whole*, all of a table, into pages.

    *blocks* has the number of each regular file's block, by its row. A page ends behind the
    directory that has its entry number *page_entries*.
    """
    below = _entries_below(whole)
    # Inodes are numbered in the order of their first names. So the entries before any entry name
    # all inodes up to the highest that is among them.
    highest = list(accumulate(whole.entry_inode, max, initial=ROOT))
    entries = array("I", _cuts(whole, page_entries))
    inodes = array("I", [ROOT, *(highest[entry] + 1 for entry in entries[1:])])
    children = array("I", [0, *(below[inode - ROOT] for inode in inodes[1:])])
    levels = array("I", (0,))
    while (following := below[highest[levels[-1]]]) > levels[-1]:
        levels.append(following)
    lengths = [end - start for start, end in pairwise([0, *whole.entry_name_end])]
    contents = array("Q")
    page_blocks: list[array[int]] = []
    for first, last in pairwise(inodes):
        rows = [row for row in range(first - ROOT, last - ROOT) if row in blocks]
        contents.append(sum(whole.inode_size[row] for row in rows))
        page_blocks.append(array("I", sorted({blocks[row] for row in rows})))
    return Outline(
        bounds=Bounds(entries, inodes, children),
        level_starts=levels,
        level_names=array("I", [max(lengths[start:end]) for start, end in pairwise(levels)]),
        page_contents=contents,
        page_blocks=page_blocks,
        largest_file=max((whole.inode_size[row] for row in blocks), default=0),
        longest_target=max((whole.inode_size[row] for row in whole.rows(stat.S_IFLNK)), default=0),
    )


def _entries_below(whole: Page) -> list[int]:
    """Return for each number of rows how many entries the directories in them have."""
    sizes = (
        size if stat.S_ISDIR(mode) else 0
        for mode, size in zip(whole.inode_mode, whole.inode_size, strict=True)
    )
    return list(accumulate(sizes, initial=0))


def _cuts(whole: Page, page_entries: int) -> list[int]:
    """Return the entries that pages begin with, and where the last one ends."""
    cuts = [0]
    for row in whole.rows(stat.S_IFDIR):
        start = whole.inode_start[row]
        if start - cuts[-1] >= page_entries:
            cuts.append(start)
    end = len(whole.entry_inode)
    return [*(cut for cut in cuts if cut < end or cut == 0), end]


def _differences(sums: Sequence[int]) -> list[int]:
    return [end - start for start, end in pairwise(sums)]


def _sums(start: int, differences: array[int]) -> array[int]:
    try:
        return array("I", accumulate(differences, initial=start))
    except OverflowError as error:
        raise ValueError("its pages do not add up") from error
