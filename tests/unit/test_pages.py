"""How an index writes a page: byte for byte, and what is no page of its outline."""

from __future__ import annotations

import stat

import pytest

from kheadersfs.archive.names.columns import encode_column
from kheadersfs.archive.names.outline import Outline, outline_of
from kheadersfs.archive.names.page import Page
from kheadersfs.archive.names.pages import decode_page, encode_page, find_shift
from kheadersfs.archive.names.table import Table
from tests.support.members import built, directory, file, hard_link, symlink

UNITS = 9
STARTS = (0, 2560, 10_240)
"""Two blocks."""


def whole_of(table: Table, *starts: int) -> Page:
    """*table* with its files, in the order of their inodes, at *starts*."""
    whole = table.whole()
    changed = whole.inode_start[:]
    for row, start in zip(whole.rows(stat.S_IFREG), starts, strict=True):
        changed[row] = start
    return whole._replace(inode_start=changed)


def sample() -> Page:
    """Entries of the root: d f l same; of d: a b c. same is another name of f."""
    table = built(
        directory(b"d", mtime=7),
        file(b"f", 511, mtime=-1),
        symlink(b"l", b"target"),
        hard_link(b"same", b"f"),
        file(b"d/a", 513),
        file(b"d/b", 1024),
        file(b"d/c", 0),
    )
    return whole_of(table, 512, 3072, 1536, 4096)


BLOCKS = {2: 0, 4: 1, 5: 0, 6: 1}
"""By row: f, a, b, c."""


def described(whole: Page) -> Outline:
    return outline_of(whole, BLOCKS)


def decode(payload: bytes, outline: Outline, starts: tuple[int, ...] = STARTS) -> Page:
    return decode_page(payload, 0, outline, starts, UNITS)


def encoded(whole: Page) -> bytes:
    return encode_page(whole, 0, described(whole), BLOCKS, UNITS)


FILE, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
COLUMNS = (
    (1, 1, 1, 4, 1, 1, 1),  # lengths of names
    (0, 0, 0, 2, 1, 1, 1),  # how far numbers lag behind
    (DIRECTORY, DIRECTORY, FILE, LINK, FILE, FILE, FILE),
    (3, 2, 2, 1, 1, 1, 1),
    (0, 7, (1 << 64) - 1, 0, 0, 0, 0),
    (4, 3, 511, 6, 513, 1024, 0),
    (0, 1, 0, 1),
    # f is in unit 1 of all and a in unit 6; b follows f, and c is one sooner than behind a.
    (2, 12, 0, 1),
)


def test_a_page_is_written_as_it_always_was() -> None:
    """Archives of before have it like this."""
    payload = b"".join(map(encode_column, COLUMNS)) + b"dflsameabc" + b"target"
    assert encoded(sample()) == payload
    assert decode(payload, described(sample())) == sample()


def test_a_page_ends_with_its_targets() -> None:
    payload, outline = encoded(sample()), described(sample())
    for length in range(len(payload)):
        with pytest.raises(ValueError, match="cut off"):
            decode(payload[:length], outline)
    with pytest.raises(ValueError, match="stray bytes"):
        decode(payload + b"x", outline)


@pytest.mark.parametrize(
    "blocks", [[(0,)], [(1,)], [()], [(0, 1, 2)], [(0, 2)]], ids=lambda blocks: str(blocks[0])
)
def test_files_are_in_the_blocks_that_the_outline_names(blocks: list[tuple[int, ...]]) -> None:
    numbers = [described(sample()).page_blocks[0][:0] for _ in blocks]
    for column, wanted in zip(numbers, blocks, strict=True):
        column.extend(wanted)
    outline = described(sample())._replace(page_blocks=numbers)
    with pytest.raises(ValueError, match="in other blocks"):
        decode(encoded(sample()), outline)


def test_files_lie_within_their_blocks() -> None:
    whole = sample()
    payload, outline = encoded(whole), described(whole)
    assert decode(payload, outline, (512, 2560, 4096)) == whole
    for starts in ((513, 2560, 4096), (512, 2559, 4096), (512, 3073, 4096), (512, 2560, 4095)):
        with pytest.raises(ValueError, match="outside its block"):
            decode(payload, outline, starts)


@pytest.mark.parametrize("gap", [1, 3, (1 << 64) - 1, (1 << 64) - 2])
def test_a_gap_does_not_lead_out_of_the_block(gap: int) -> None:
    columns = (*COLUMNS[:-1], (gap, *COLUMNS[-1][1:]))
    payload = b"".join(map(encode_column, columns)) + b"dflsameabc" + b"target"
    with pytest.raises(ValueError, match="outside its block"):
        decode(payload, described(sample()))


@pytest.mark.parametrize(
    ("start", "shift"), [(0, 9), (512, 9), (1024, 9), (1536, 9), (256, 8), (4, 2), (6, 1), (511, 0)]
)
def test_starts_are_counted_in_the_largest_unit_that_all_have(start: int, shift: int) -> None:
    table = built(file(b"a", 5), file(b"b", 5))
    assert find_shift(whole_of(table, 0, start)) == shift
    assert find_shift(built(directory(b"d")).whole()) == UNITS
