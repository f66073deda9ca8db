"""Files that are added many at once are what they are when each is added for itself."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.member import Files
from kheadersfs.archive.names.building import TableBuilder
from kheadersfs.archive.names.neighbours import are_plain
from kheadersfs.archive.names.page import LATEST, NAME_LIMIT
from kheadersfs.errors import RefusedArchive
from kheadersfs.limits import Limits
from tests.support.members import directory, file

PARTS = st.sampled_from([b"a", b"b", b"c", b"", b".", b"..", b"x" * NAME_LIMIT, b"x" * 256])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(b"/".join)
MODES = st.sampled_from([0o644, 0o600, 0o4755]).map(stat.S_IFREG.__or__)
MTIMES = st.sampled_from([0, 7, LATEST, LATEST + 1])
SIZES = st.sampled_from([0, 0, 1, 70_000])
FILES = st.lists(st.tuples(PATHS, MODES, MTIMES, SIZES), max_size=12)
FEW = Limits(path=300, depth=3)


def columns(files: list[tuple[bytes, int, int, int]]) -> Files:
    names, modes, mtimes, sizes = map(list, zip(*files, strict=True)) if files else ([],) * 4
    return Files(b"", names, modes, mtimes, sizes, [0] * len(files))


def builder_with_some(limits: Limits = FEW) -> TableBuilder:
    builder = TableBuilder("archive", limits)
    for known in (directory(b"a"), file(b"a/b"), directory(b"b"), file(b"c", 3)):
        builder.add(known, 0)
    return builder


def add_each(builder: TableBuilder, files: Files, number: int, start: int) -> int:
    """Add one of *files*. Returns where the content of the next has to be put."""
    member = files.member(number)
    return start + member.size * builder.add(member, start)


def add_at_once(builder: TableBuilder, files: Files, start: int) -> int:
    """Add all *files*. Returns where the content of what follows has to be put."""
    number = 0
    while number < len(files.names):
        count = builder.add_neighbours(files, number, start) if are_plain(files) else 0
        start += sum(files.sizes[number : number + count])
        number += count
        if number < len(files.names):
            start = add_each(builder, files, number, start)
            number += 1
    return start


@given(FILES)
def test_many_at_once_make_the_same_table(files: list[tuple[bytes, int, int, int]]) -> None:
    at_once, each = builder_with_some(), builder_with_some()
    given_files = columns(files)
    start = 3
    for number in range(len(files)):
        start = add_each(each, given_files, number, start)
    assert add_at_once(at_once, given_files, 3) == start
    assert at_once.refusals == each.refusals
    assert (at_once.members, at_once.absolute) == (each.members, each.absolute)
    assert at_once.text_size == each.text_size
    assert at_once.build().whole() == each.build().whole()


@pytest.mark.parametrize(
    "limit", [Limits(members=9), Limits(memory=40), Limits(file=3), Limits(total=20)]
)
def test_many_at_once_are_counted_against_the_limits(limit: Limits) -> None:
    files = columns([(b"a/%d" % number, stat.S_IFREG | 0o644, 0, 4) for number in range(20)])
    builder = builder_with_some(limit)
    with pytest.raises(RefusedArchive, match="is beyond"):
        builder.add_neighbours(files, 0, 0)
