"""What a page must hold to: each lie is found by itself, not by what else it brings about."""

from __future__ import annotations

import stat
from array import array
from collections.abc import Callable

import pytest

from kheadersfs.archive.names.outline import Outline, outline_of
from kheadersfs.archive.names.page import Page
from kheadersfs.archive.names.pages import decode_page, encode_page
from kheadersfs.archive.names.soundness import check_directory, check_links, check_page
from tests.support.members import built, directory, file, hard_link, symlink

IN_ONE = 1000
"""A page of so many entries has all of them."""


def sample() -> Page:
    """Entries of the root: a b l; of a: c f; of b: h m; of a/c: g. Inodes in that order, from 2."""
    table = built(
        directory(b"a"),
        directory(b"a/c"),
        file(b"a/c/g", 20),
        file(b"a/f", 10),
        directory(b"b"),
        file(b"b/hh", 30),
        symlink(b"b/m", b"xx"),
        symlink(b"l", b"target"),
    )
    return table.whole()


def outline(whole: Page, page_entries: int = IN_ONE) -> Outline:
    return outline_of(whole, dict.fromkeys(whole.rows(stat.S_IFREG), 0), page_entries)


def pages(whole: Page, described: Outline) -> list[Page]:
    """*whole* in the pages that are *described*, as an index has them."""
    blocks = dict.fromkeys(whole.rows(stat.S_IFREG), 0)
    encoded = (
        encode_page(whole, number, described, blocks, 0)
        for number in range(len(described.page_blocks))
    )
    return [
        decode_page(payload, number, described, (0, 1 << 20), 0)
        for number, payload in enumerate(encoded)
    ]


def replace(page: Page, column: str, changes: dict[int, int]) -> Page:
    changed = getattr(page, column)[:]
    for row, value in changes.items():
        changed[row] = value
    return page._replace(**{column: changed})


def with_one_more(page: Page) -> Page:
    """Another empty file, which no entry names."""
    return page._replace(
        inode_mode=array("I", (*page.inode_mode, stat.S_IFREG | 0o644)),
        inode_links=array("I", (*page.inode_links, 1)),
        inode_mtime=array("q", (*page.inode_mtime, 0)),
        inode_size=array("Q", (*page.inode_size, 0)),
        inode_start=array("Q", (*page.inode_start, 0)),
    )


def with_extents(page: Page, sizes: dict[int, int], starts: dict[int, int]) -> Page:
    return replace(replace(page, "inode_size", sizes), "inode_start", starts)


def mode(row: int, kind: int, permissions: int) -> Callable[[Page], Page]:
    return lambda page: replace(page, "inode_mode", {row: kind | permissions})


A, B, L, C, F, H, M, G = range(1, 9)
"""Their rows; entries are one less."""

MODE = "a mode that cannot be"
KIND = "neither file, directory nor symlink"
SET_ID = "set-user-ID or set-group-ID"
PERMISSIONS = "permissions that symlinks do not have"
PLACE = "entries are not where they should be"
NAME = "a name that cannot be"

LIES: dict[str, tuple[Callable[[Page], Page], str]] = {
    "a bit above the type": (mode(F, stat.S_IFREG, 1 << 16), MODE),
    "the highest bit": (mode(F, stat.S_IFREG, 1 << 31), MODE),
    "a set-user-ID file": (mode(F, stat.S_IFREG, 0o4755), SET_ID),
    "a set-group-ID file": (mode(F, stat.S_IFREG, 0o2755), SET_ID),
    "a symlink nobody may read": (mode(L, stat.S_IFLNK, 0o666), PERMISSIONS),
    "a sticky symlink": (mode(L, stat.S_IFLNK, 0o1777), PERMISSIONS),
    "a device": (mode(F, stat.S_IFCHR, 0o644), KIND),
    "a fifo": (mode(F, stat.S_IFIFO, 0o644), KIND),
    "no type": (mode(F, 0, 0o644), KIND),
    "a root that is a file": (mode(0, stat.S_IFREG, 0o644), "root is not a directory"),
    "inode 0": (lambda page: replace(page, "entry_inode", {0: 0}), "that is not there"),
    "the root": (lambda page: replace(page, "entry_inode", {0: 1}), "that is not there"),
    "an inode of later": (lambda page: replace(page, "entry_inode", {0: 3}), "that is not there"),
    "an inode behind all": (lambda page: replace(page, "entry_inode", {7: 10}), "is not there"),
    "an inode without a name": (with_one_more, "an inode has no name"),
    "two names": (lambda page: replace(page, "inode_links", {G: 2}), "not as many names"),
    "no name": (lambda page: replace(page, "inode_links", {L: 0}), "not as many names"),
    "entries that overlap": (lambda page: replace(page, "inode_start", {B: 4}), PLACE),
    "entries with a gap": (lambda page: replace(page, "inode_start", {C: 8}), PLACE),
    "entries of the level above": (lambda page: with_extents(page, {B: 1, C: 2}, {C: 6}), PLACE),
    "entries of the level below": (lambda page: with_extents(page, {0: 4, A: 1}, {A: 4}), PLACE),
    "entries into the next level": (lambda page: with_extents(page, {B: 3, C: 0}, {C: 8}), PLACE),
    "entries that are missing": (lambda page: replace(page, "inode_size", {C: 0}), "do not add up"),
    "a name of nothing": (lambda page: replace(page, "entry_name_end", {4: 4, 5: 6}), NAME),
    "a name with a slash": (lambda page: page._replace(names=page.names[:-1] + b"/"), NAME),
    "a name with a NUL": (lambda page: page._replace(names=page.names[:-1] + b"\0"), NAME),
    "a name too long for its level": (
        lambda page: replace(
            page._replace(names=b"y" + page.names),
            "entry_name_end",
            {entry: end + 1 for entry, end in enumerate(page.entry_name_end)},
        ),
        NAME,
    ),
    "a longer file": (lambda page: replace(page, "inode_size", {G: 21}), "another size in all"),
    "a file that took from another": (
        lambda page: replace(page, "inode_size", {H: 31, G: 19}),
        "larger than the largest",
    ),
    "a longer target": (
        lambda page: replace(page, "inode_size", {L: 7, M: 1}),
        "a length that cannot be",
    ),
    "a target of nothing": (lambda page: replace(page, "inode_size", {M: 0}), "length that cannot"),
    "a target with a NUL": (lambda page: page._replace(targets=b"\0argetxx"), "target that cannot"),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_in_a_page_is_found(lie: str) -> None:
    change, message = LIES[lie]
    whole = sample()
    with pytest.raises(ValueError, match=message):
        check_page(change(whole), 0, outline(whole))


@pytest.mark.parametrize(
    "sound",
    [mode(A, stat.S_IFDIR, 0o7777), mode(F, stat.S_IFREG, 0o1777), mode(F, stat.S_IFREG, 0)],
)
def test_modes_that_tell_nothing_dangerous_are_sound(sound: Callable[[Page], Page]) -> None:
    whole = sample()
    check_page(sound(whole), 0, outline(whole))


@pytest.mark.parametrize("page_entries", [1, 2, 3, 4, 5, IN_ONE])
def test_what_is_sound_stays_so_in_pages_of_any_size(page_entries: int) -> None:
    whole = sample()
    described = outline(whole, page_entries)
    for number, page in enumerate(pages(whole, described)):
        check_page(page, number, described)


def test_the_largest_of_a_later_page_are_held_against_their_own_level() -> None:
    whole = sample()
    described = outline(whole, 3)
    _, _, last = pages(whole, described)
    assert last.first_entry == 7
    longer = replace(last._replace(names=b"gg"), "entry_name_end", {0: 2})
    with pytest.raises(ValueError, match=NAME):
        check_page(longer, 2, described)


def test_the_root_of_an_empty_tree_is_a_directory_too() -> None:
    table = built()
    empty = table.whole()
    check_page(empty, 0, outline(empty))
    with pytest.raises(ValueError, match="root is not a directory"):
        check_page(mode(0, stat.S_IFREG, 0o644)(empty), 0, outline(empty))


def test_a_directory_that_is_first_in_a_page_counts_as_a_subdirectory() -> None:
    whole = sample()
    second = pages(whole, outline(whole, 3))[1]
    assert second.first_entry == 3
    check_directory(second, range(3, 5), 3)


def with_names(*names: bytes) -> Page:
    """The entries of a: *names*."""
    whole = sample()
    ends = [1, 2, 3, *(3 + len(b"".join(names[:count])) for count in (1, 2))]
    return whole._replace(names=b"abl" + b"".join(names), entry_name_end=array("I", ends))


@pytest.mark.parametrize(
    ("entries", "links", "message"),
    [
        (range(3, 5), 2, "number of subdirectories"),
        (range(3, 5), 4, "number of subdirectories"),
        (range(5, 7), 3, "number of subdirectories"),
        (range(-1, 2), 4, "in two pages"),
        (range(7, 9), 2, "in two pages"),
        (range(9, 10), 2, "in two pages"),
    ],
)
def test_a_directory_is_whole_and_as_its_links_say(
    entries: range, links: int, message: str
) -> None:
    whole = sample()
    check_directory(whole, range(3), 4)
    check_directory(whole, range(3, 5), 3)
    check_directory(whole, range(7, 8), 2)
    check_directory(whole, range(20, 20), 2)  # it may be in another page
    with pytest.raises(ValueError, match=message):
        check_directory(whole, entries, links)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((b".", b"f"), NAME),
        ((b"-", b"."), NAME),
        ((b"..", b"f"), NAME),
        ((b"f", b"c"), "not sorted"),
        ((b"c", b"c"), "a name twice"),
        ((b"cc", b"c"), "not sorted"),
    ],
)
def test_names_of_a_directory_are_sorted_and_differ(
    names: tuple[bytes, bytes], message: str
) -> None:
    check_directory(with_names(b"...", b"c"), range(3, 5), 3)
    check_directory(with_names(b"c", b"cc"), range(3, 5), 3)
    with pytest.raises(ValueError, match=message):
        check_directory(with_names(*names), range(3, 5), 3)


def linked() -> Page:
    """Entries of the root: a b d e; of d: f. b and d/f are other names of a."""
    table = built(
        file(b"a", 5),
        hard_link(b"b", b"a"),
        directory(b"d"),
        hard_link(b"d/f", b"a"),
        file(b"e", 5),
    )
    return table.whole()


LINKS = {
    "a link to another file": {"entry_inode": {1: 2, 4: 4}},
    "links of another file": {"inode_links": {1: 2, 3: 2}},
    "a link too many": {"inode_links": {1: 4}},
    "very many links": {"inode_links": {1: (1 << 32) - 1}},
    "a link too few": {"inode_links": {3: 0}},
    "two names of a directory": {"entry_inode": {4: 3}},
}


@pytest.mark.parametrize("lie", LINKS)
def test_inodes_have_the_names_that_they_say(lie: str) -> None:
    whole = linked()
    check_page(whole, 0, outline(whole))
    check_links(whole)
    for column, changes in LINKS[lie].items():
        whole = replace(whole, column, changes)
    with pytest.raises(ValueError, match="not as many names"):
        check_links(whole)


@pytest.mark.parametrize("page_entries", [1, 2, 3, 4, IN_ONE])
def test_hard_links_of_any_page_are_sound(page_entries: int) -> None:
    whole = linked()
    described = outline(whole, page_entries)
    parts = pages(whole, described)
    for number, page in enumerate(parts):
        check_page(page, number, described)
    assert sum(len(page.repeats) for page in parts) == 2
    # What is first named in another page is no subdirectory, whatever is in this one.
    check_directory(parts[-1], range(4, 5), 2)


def test_an_entry_that_repeats_an_inode_of_later_is_found() -> None:
    whole = linked()
    for inode in (0, 1, 4):
        lie = replace(whole, "entry_inode", {1: inode})
        with pytest.raises(ValueError, match="an inode that is not there"):
            check_page(lie, 0, outline(whole))
    with pytest.raises(ValueError, match="an inode that is not there"):
        check_page(replace(whole, "repeats", {0: 2}), 0, outline(whole))
