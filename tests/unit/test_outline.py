"""What an index says of its pages before they are read: it fits together, and into the limits."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from kheadersfs.archive.names.columns import Sections, encode_column
from kheadersfs.archive.names.outline import MOST_PAGES, Outline, outline_of
from kheadersfs.archive.names.page import Page
from kheadersfs.errors import RefusedArchive
from kheadersfs.limits import UNLIMITED
from tests.support.members import built, directory, file, hard_link, symlink

BLOCKS = 3


def sample() -> tuple[Page, dict[int, int]]:
    """Entries of the root: a b l; of a: c f; of b: hh m; of a/c: g. Also each file's block."""
    table = built(
        directory(b"a"),
        directory(b"a/c"),
        file(b"a/c/g", 20),
        file(b"a/f", 10),
        directory(b"b"),
        file(b"b/hh", 30),
        file(b"b/m", 5),
        symlink(b"l", b"target"),
    )
    return table.whole(), {5: 0, 6: 1, 7: 0, 8: 2}


def outline(page_entries: int = 3) -> Outline:
    return outline_of(*sample(), page_entries)


def decode(described: Outline, blocks: int = BLOCKS) -> Outline:
    sections = Sections(described.encode())
    decoded = Outline.decode(sections, blocks)
    sections.finish()
    return decoded


def numbers(*values: int) -> array[int]:
    return array("I", values)


def test_a_tree_is_divided_where_directories_end() -> None:
    described = outline()
    assert described.bounds.entries == numbers(0, 3, 7, 8)
    assert described.bounds.inodes == numbers(1, 5, 9, 10)
    assert described.bounds.children == numbers(0, 7, 8, 8)
    assert described.level_starts == numbers(0, 3, 7, 8)
    assert described.level_names == numbers(1, 2, 1)
    assert described.page_contents == array("Q", (0, 45, 20))
    assert described.page_blocks == [numbers(), numbers(0, 1), numbers(2)]
    assert (described.largest_file, described.longest_target) == (30, 6)
    assert described.content_size == 65


@pytest.mark.parametrize(
    ("page_entries", "starts"),
    [(1, (0, 3, 5, 7)), (2, (0, 3, 5, 7)), (3, (0, 3, 7)), (4, (0, 5)), (7, (0, 7)), (8, (0,))],
)
def test_a_page_ends_with_the_directory_that_fills_it(
    page_entries: int, starts: tuple[int, ...]
) -> None:
    assert outline(page_entries).bounds.entries == numbers(*starts, 8)


def test_no_page_is_made_for_directories_with_nothing_in_them() -> None:
    table = built(directory(b"first"), file(b"first/f"), directory(b"last"))
    described = outline_of(table.whole(), {3: 0}, 1)
    assert described.bounds.entries == numbers(0, 2, 3)
    assert decode(described).level_names == numbers(5, 1)


@pytest.mark.parametrize("page_entries", [1, 2, 3, 5, 1000])
def test_an_outline_round_trips(page_entries: int) -> None:
    assert decode(outline(page_entries)) == outline(page_entries)


def test_of_an_empty_tree_there_is_one_page() -> None:
    table = built()
    described = decode(outline_of(table.whole(), {}), 0)
    assert described.bounds.entries == described.bounds.children == numbers(0, 0)
    assert described.bounds.inodes == numbers(1, 2)
    described.check_limits("archive", UNLIMITED._replace(path=0, depth=0, members=1))


def with_bounds(**columns: array[int]) -> Callable[[Outline], Outline]:
    return lambda described: described._replace(bounds=described.bounds._replace(**columns))


def with_blocks(*blocks: array[int]) -> Callable[[Outline], Outline]:
    return lambda described: described._replace(page_blocks=list(blocks))


ADD_UP = "do not add up"
NOTHING = "a page or a level with nothing in it"

LIES: dict[str, tuple[Callable[[Outline], Outline], str]] = {
    "a name more": (with_bounds(entries=numbers(0, 3, 7, 9)), ADD_UP),
    "a name less": (with_bounds(entries=numbers(0, 3, 6, 7)), ADD_UP),
    "a child more": (with_bounds(children=numbers(0, 7, 8, 9)), ADD_UP),
    "a child less": (with_bounds(children=numbers(0, 7, 7, 7)), ADD_UP),
    "no root": (with_bounds(inodes=numbers(1, 1, 9, 10)), "has no root"),
    "a page with nothing": (with_bounds(entries=numbers(0, 3, 3, 8)), NOTHING),
    "a level with nothing": (
        lambda described: described._replace(level_starts=numbers(0, 3, 3, 8)),
        NOTHING,
    ),
    "more blocks than files": (
        with_blocks(numbers(*range(3)), numbers(*range(3)), numbers(*range(3))),
        "more blocks with files than files",
    ),
    "blocks that are not sorted": (with_blocks(numbers(), numbers(1, 0), numbers(2)), "not sorted"),
    "a block twice": (with_blocks(numbers(), numbers(1, 1), numbers(2)), "not sorted"),
    "a block too many": (with_blocks(numbers(), numbers(0, 3), numbers(2)), "more blocks than"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_outline_that_contradicts_itself_is_refused(lie: str) -> None:
    change, message = LIES[lie]
    with pytest.raises(ValueError, match=message):
        decode(change(outline()))


def test_as_many_blocks_with_files_as_names_are_possible() -> None:
    described = with_blocks(numbers(0, 1), numbers(0, 1, 2), numbers(0, 1, 2))(outline())
    assert decode(described).page_blocks == described.page_blocks


def test_an_outline_without_a_page_is_refused() -> None:
    none = outline()._replace(
        bounds=outline().bounds._replace(
            entries=numbers(0), inodes=numbers(1), children=numbers(0)
        ),
        level_starts=numbers(0),
        level_names=numbers(),
        page_contents=array("Q"),
        page_blocks=[],
    )
    with pytest.raises(ValueError, match="has no root"):
        decode(none)


def test_sums_beyond_what_is_counted_to_are_refused() -> None:
    columns = [encode_column(numbers) for numbers in ((0, 0), (1, 2), (1 << 31, 1 << 31))]
    with pytest.raises(ValueError, match=ADD_UP):
        Outline.decode(Sections(b"".join(columns)), 0)


def test_pages_are_limited_before_they_take_memory() -> None:
    for pages, message in ((MOST_PAGES, "cut off"), (MOST_PAGES + 1, "more than 16384 pages")):
        start = encode_column((0, 0)) + encode_column((pages, 0))
        with pytest.raises(ValueError, match=message):
            Outline.decode(Sections(start), 0)


LARGEST = {"members": 9, "file": 30, "total": 65, "target": 6, "depth": 3, "path": 1 + 2 + 1 + 2}


@pytest.mark.parametrize("limit", LARGEST)
def test_each_limit_holds_for_what_the_pages_can_have(limit: str) -> None:
    described = outline()
    described.check_limits("archive", UNLIMITED._replace(**{limit: LARGEST[limit]}))
    with pytest.raises(RefusedArchive, match=f"--limit {limit}="):
        described.check_limits("archive", UNLIMITED._replace(**{limit: LARGEST[limit] - 1}))


def test_every_name_of_a_file_counts_for_the_limit_of_names() -> None:
    table = built(file(b"f"), *(hard_link(b"%d" % number, b"f") for number in range(5)))
    described = outline_of(table.whole(), {1: 0})
    described.check_limits("archive", UNLIMITED._replace(members=6))
    with pytest.raises(RefusedArchive, match="--limit members="):
        described.check_limits("archive", UNLIMITED._replace(members=5))
