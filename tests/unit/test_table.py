"""The pages of an archive: which of them has what, and when it is made and looked at."""

from __future__ import annotations

import stat
from array import array

import pytest

from kheadersfs.archive.names import soundness
from kheadersfs.archive.names.bounds import Bounds
from kheadersfs.archive.names.outline import outline_of
from kheadersfs.archive.names.page import ROOT, Page
from kheadersfs.archive.names.pages import decode_page, encode_page
from kheadersfs.archive.names.paths import path_of
from kheadersfs.archive.names.table import Table
from kheadersfs.errors import DamagedArchive
from tests.support.members import built, directory, file, hard_link, symlink

PAGE_SIZES = pytest.mark.parametrize("page_entries", [1, 2, 3, 4, 1000])


def sample() -> Page:
    """Entries of the root: a b c d; of a: e; of c: f g; of d: h. b is empty, and h is f."""
    table = built(
        *(directory(name) for name in (b"a", b"b", b"c", b"d", b"a/e")),
        file(b"c/f", 5),
        file(b"c/g", 6),
        hard_link(b"d/h", b"c/f"),
    )
    return table.whole()


class Made:
    """A table of several pages that tells which of them were made."""

    def __init__(self, whole: Page, page_entries: int) -> None:
        blocks = dict.fromkeys(whole.rows(stat.S_IFREG), 0)
        outline = outline_of(whole, blocks, page_entries)
        self.numbers: list[int] = []

        def make(number: int) -> Page:
            self.numbers.append(number)
            payload = encode_page(whole, number, outline, blocks, 0)
            return decode_page(payload, number, outline, (0, 1 << 20), 0)

        self.table = Table("archive", outline.bounds, outline.content_size, make)


@PAGE_SIZES
def test_everything_is_found_in_its_page(page_entries: int) -> None:
    whole = sample()
    table = Made(whole, page_entries).table
    assert (table.entries, table.inodes, table.content_size) == (8, 8, 11)
    assert table.whole() == whole
    for inode in range(ROOT, ROOT + table.inodes):
        page = table.page_of(inode)
        assert page.inode_mode[inode - page.first_inode] == whole.inode_mode[inode - ROOT]
        page, entries = table.directory(inode)
        row = inode - ROOT
        size = whole.inode_size[row] if stat.S_ISDIR(whole.inode_mode[row]) else 0
        assert len(entries) == size
        assert [page.name(entry) for entry in entries] == [whole.name(entry) for entry in entries]
        assert [table.parent(entry) for entry in entries] == [inode] * size
    table.check()


@PAGE_SIZES
def test_symlinks_have_their_targets_in_pages_and_in_all_of_them(page_entries: int) -> None:
    targets = {b"a/l": b"1", b"a/m": b"22", b"b/n": b"333", b"o": b"4444"}
    table = built(*(symlink(name, target) for name, target in targets.items()))
    whole, parts = table.whole(), Made(table.whole(), page_entries).table
    assert parts.whole() == whole
    for row in whole.rows(stat.S_IFLNK):
        inode = ROOT + row
        target = targets[path_of(table, inode)]
        assert whole.target(inode) == parts.page_of(inode).target(inode) == target


@PAGE_SIZES
def test_an_inode_is_named_by_the_first_entry_of_several(page_entries: int) -> None:
    links = (b"b", b"c", b"e", b"f", b"i", b"d/a", b"d/c", b"d/d")
    table = built(
        *(file(name) for name in (b"a", b"g", b"h", b"d/b", b"d/e")),
        *(hard_link(name, b"a") for name in links),
    )
    whole, parts = table.whole(), Made(table.whole(), page_entries).table
    for inode in range(ROOT + 1, ROOT + table.inodes):
        first = whole.entry_inode.index(inode)
        assert whole.naming_entry(inode) == parts.page_of(inode).naming_entry(inode) == first


@PAGE_SIZES
def test_there_is_no_page_of_an_inode_that_is_not_there(page_entries: int) -> None:
    table = Made(sample(), page_entries).table
    for inode in (-1, 0, ROOT + table.inodes, 1 << 40):
        for ask in (table.page_of, table.directory):
            with pytest.raises(IndexError):
                ask(inode)


def test_a_page_is_made_once_and_only_when_it_is_needed() -> None:
    made = Made(sample(), 1)
    assert len(made.table) > 3
    for _ in range(2):
        made.table.page_of(ROOT)
        assert made.numbers == [0]
    made.table.check()
    made.table.check()
    assert made.numbers == list(range(len(made.table)))


def test_a_page_that_cannot_be_made_is_not_tried_again() -> None:
    tried: list[int] = []

    def make(number: int) -> Page:
        tried.append(number)
        raise ValueError("it is bad")

    bounds = Bounds(array("I", (0, 1)), array("I", (1, 3)), array("I", (0, 1)))
    table = Table("archive", bounds, 0, make)
    for _ in range(2):
        with pytest.raises(DamagedArchive, match="archive: its index cannot be used: it is bad; "):
            table.page(0)
    assert tried == [0]


def test_a_directory_is_looked_at_once_and_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[range] = []
    check = soundness.check_directory

    def checked(page: Page, entries: range, links: int) -> None:
        looked_at.append(entries)
        check(page, entries, links)

    monkeypatch.setattr(soundness, "check_directory", checked)
    table = Table.of(sample())
    for _ in range(2):
        table.directory(ROOT)
    assert looked_at == [range(4)]
    lying = sample()._replace(names=b"abdc" + sample().names[4:])
    table = Table.of(lying)
    for _ in range(2):
        with pytest.raises(DamagedArchive, match="its names are not sorted"):
            table.directory(ROOT)
    table.directory(ROOT + 1)
    assert looked_at == [range(4)] * 3 + [range(4, 5)]


@PAGE_SIZES
def test_inodes_of_a_page_are_looked_at_once_to_find_all_parents(
    page_entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Made(sample(), page_entries).table
    pages = {id(table.page(number)) for number in range(len(table))}
    looked_at: list[int] = []
    rows = Page.rows

    def note_and_tell(page: Page, file_type: int) -> list[int]:
        looked_at.append(id(page))
        return rows(page, file_type)

    monkeypatch.setattr(Page, "rows", note_and_tell)
    for _ in range(2):
        for entry in range(table.entries):
            table.parent(entry)
    assert looked_at
    assert len(looked_at) == len(set(looked_at))
    assert set(looked_at) <= pages


def test_all_is_looked_at_when_a_table_is_checked() -> None:
    whole = sample()
    Table.of(whole).check()
    unsorted = whole._replace(names=b"abcdegfh")
    links = whole.inode_links[:]
    links[-1] = 2
    for lying, message in (
        (unsorted, "not sorted"),
        (whole._replace(inode_links=links), "not as many names"),
    ):
        with pytest.raises(DamagedArchive, match=f"archive: its index cannot be used: .*{message}"):
            Table.of(lying).check()


def test_only_more_names_than_inodes_are_hard_links() -> None:
    assert Table.of(sample()).bounds.has_hard_links
    assert not Table.of(built(file(b"f"), directory(b"d")).whole()).bounds.has_hard_links
    assert not Table.of(built().whole()).bounds.has_hard_links
