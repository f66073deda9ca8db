"""Encode and decode a page of the embedded index.

Some columns hold how much a number differs from the expected one, which is nearly always 0 and
compresses to nothing. A name is stored by its length, not its end. The inode of an entry is
expected to be the next one that has no name yet, which fails only for hard links. The content of a
file is expected to start one header behind that of the file before it in the same block and page.
So a file has two columns: the number of its block, and the gap between the expected and the true
start, in units of ``1 << shift`` bytes. The gap is zigzag coded: 0, -1, 1, -2 and 2 are stored as
0, 1, 2, 3 and 4. The starts of directories and symlinks are not stored, as they follow from the
sizes before them.
"""

from __future__ import annotations

import stat
from itertools import accumulate, count, pairwise

from kheadersfs.archive.names.columns import Sections, encode_column
from kheadersfs.archive.names.page import ROOT, Page, first_named, rows_of_type
from kheadersfs.bare import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kheadersfs.archive.names.outline import Outline

LARGEST_SHIFT = 9
"""The shift that makes a unit of tar's block of 512 bytes."""


def find_shift(whole: Page) -> int:
    """Return the largest unit, as a power of two, that all files of *whole* start at."""
    return shift_of(whole.inode_start[row] for row in whole.rows(stat.S_IFREG))


def shift_of(starts: Iterable[int]) -> int:
    """Return the largest unit, as a power of two, that *starts* are multiples of."""
    combined = 1 << LARGEST_SHIFT
    for start in starts:
        combined |= start
    return (combined & -combined).bit_length() - 1


def encode_page(
    whole: Page, number: int, outline: Outline, blocks: dict[int, int], shift: int
) -> bytes:
    """Return page *number* of *whole*; *blocks* has each file's block, by its row."""
    bounds = outline.bounds
    first, last = bounds.entries[number], bounds.entries[number + 1]
    rows = range(bounds.inodes[number] - ROOT, bounds.inodes[number + 1] - ROOT)
    ends = [whole.entry_name_end[first - 1] if first else 0, *whole.entry_name_end[first:last]]
    expected = count(first_named(bounds.inodes[number]))
    files = [row for row in rows if row in blocks]
    targets = [
        whole.targets[whole.inode_start[row] : whole.inode_start[row] + whole.inode_size[row]]
        for row in rows
        if stat.S_ISLNK(whole.inode_mode[row])
    ]
    inodes = slice(rows.start, rows.stop)
    columns = (
        [end - start for start, end in pairwise(ends)],
        map(int.__sub__, expected, whole.entry_inode[first:last]),
        whole.inode_mode[inodes],
        whole.inode_links[inodes],
        # Times may lie before 1970. A column holds no negative numbers, so it has their two's
        # complement.
        array("Q", whole.inode_mtime[inodes].tobytes()),
        whole.inode_size[inodes],
        [blocks[row] for row in files],
        gaps_of(
            [(whole.inode_start[row], whole.inode_size[row]) for row in files],
            [blocks[row] for row in files],
            shift,
        ),
    )
    return b"".join((*map(encode_column, columns), whole.names[ends[0] : ends[-1]], *targets))


def gaps_of(extents: Iterable[tuple[int, int]], blocks: Iterable[int], shift: int) -> list[int]:
    """Return how far from where it is expected each of *extents* starts, zigzag coded.

    An extent is where a file starts and how large it is, in bytes; *blocks* has the block of each.
    """
    gaps: list[int] = []
    expected: dict[int, int] = {}
    for (position, size), block in zip(extents, blocks, strict=True):
        start = position >> shift
        gap = start - expected.get(block, 0)
        gaps.append(gap * 2 if gap >= 0 else -gap * 2 - 1)
        expected[block] = expected_next(start, size, shift)
    return gaps


def expected_next(start: int, size: int, shift: int) -> int:
    """Return where the next file of a block should start, behind one of *size* bytes at *start*.

    Starts are in units of ``1 << shift`` bytes; one of them is for the next file's header.
    """
    return start + (size + (1 << shift) - 1 >> shift) + 1


def decode_page(
    payload: bytes, number: int, outline: Outline, block_starts: Sequence[int], shift: int
) -> Page:
    """Return page *number*. *block_starts* is where blocks begin, and where the last one ends.

    That files lie in its blocks is checked; the rest is for soundness.check_page. Raises
    ValueError for what is no page.
    """
    sections = Sections(payload)
    bounds = outline.bounds
    entries = bounds.entries[number + 1] - bounds.entries[number]
    inodes = bounds.inodes[number + 1] - bounds.inodes[number]
    name_ends = array("I", accumulate(sections.column(entries, "B")))
    lags = sections.column(entries, "I")
    modes = sections.column(inodes, "I")
    links = sections.column(inodes, "I")
    times = array("q", sections.column(inodes, "Q").tobytes())
    sizes = sections.column(inodes, "Q")
    files = rows_of_type(modes, stat.S_IFREG)
    starts = read_starts(sections, files, sizes, outline.page_blocks[number], block_starts, shift)
    targets_size = place(starts, rows_of_type(modes, stat.S_IFLNK), sizes, 0)
    place(starts, rows_of_type(modes, stat.S_IFDIR), sizes, bounds.children[number])
    first_inode = bounds.inodes[number]
    page = Page(
        first_entry=bounds.entries[number],
        first_inode=first_inode,
        entry_inode=_inodes(lags, first_named(first_inode)),
        repeats=_repeats(lags, bounds.entries[number]),
        entry_name_end=name_ends,
        names=sections.take(name_ends[-1] if entries else 0),
        inode_mode=modes,
        inode_links=links,
        inode_mtime=times,
        inode_size=sizes,
        inode_start=starts,
        targets=sections.take(targets_size),
    )
    sections.finish()
    return page


def _inodes(lags: array[int], first: int) -> array[int]:
    """Return the inode of each entry. That of the first is *first*, unless it lags behind too."""
    following = range(first, first + len(lags))
    return array("I", map(int.__sub__, following, lags) if any(lags) else following)


def _repeats(lags: array[int], first_entry: int) -> array[int]:
    """Return the entries that name no new inode: there are as many before as numbers lag behind."""
    repeats = array("I")
    if any(lags):
        for entry, lag in enumerate(lags, first_entry):
            if lag != len(repeats):
                repeats.append(entry)
    return repeats


def place(starts: array[int], rows: list[int], sizes: array[int], start: int) -> int:
    """Put into *starts* where *rows* start, one behind the other. Returns where the last ends."""
    for row in rows:
        starts[row] = start
        start += sizes[row]
    return start


def read_starts(
    sections: Sections,
    files: list[int],
    sizes: array[int],
    page_blocks: Sequence[int],
    block_starts: Sequence[int],
    shift: int,
) -> array[int]:
    """Return where each row starts, from the two columns that say so of the rows *files*.

    All other rows start at 0. Raises ValueError when files are not in *page_blocks*, or not within
    a block.
    """
    blocks = sections.column(len(files), "I")
    gaps = sections.column(len(files), "Q")
    if sorted(set(blocks)) != list(page_blocks):
        raise ValueError("its files are in other blocks")
    starts = array("Q", bytes(8 * len(sizes)))
    expected = dict.fromkeys(page_blocks, 0)
    rest = (1 << shift) - 1
    for row, block, gap in zip(files, blocks, gaps, strict=True):
        start, size = expected[block], sizes[row]
        if gap:
            start += -(gap + 1 >> 1) if gap & 1 else gap >> 1
        expected[block] = start + (size + rest >> shift) + 1  # as expected_next(), which takes as
        start <<= shift  # long again to call
        if not block_starts[block] <= start <= start + size <= block_starts[block + 1]:
            raise ValueError("it has an extent outside its block")
        starts[row] = start
    return starts
