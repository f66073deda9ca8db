"""Empty files that are added many at once are what they are when each is added for itself."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.member import EmptyFiles
from kheadersfs.archive.names.building import TableBuilder
from kheadersfs.archive.names.page import LATEST, NAME_LIMIT
from kheadersfs.errors import RefusedArchive
from kheadersfs.limits import Limits
from tests.support.members import directory, file

PARTS = st.sampled_from([b"a", b"b", b"c", b"", b".", b"..", b"x" * NAME_LIMIT, b"x" * 256])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(b"/".join)
MODES = st.sampled_from([0o644, 0o600, 0o4755]).map(stat.S_IFREG.__or__)
MTIMES = st.sampled_from([0, 7, LATEST, LATEST + 1])
FILES = st.lists(st.tuples(PATHS, MODES, MTIMES), max_size=12)
FEW = Limits(path=300, depth=3)


def columns(files: list[tuple[bytes, int, int]]) -> EmptyFiles:
    return EmptyFiles(
        [name for name, _, _ in files],
        [mode for _, mode, _ in files],
        [mtime for _, _, mtime in files],
    )


def builder_with_some(limits: Limits = FEW) -> TableBuilder:
    builder = TableBuilder("archive", limits)
    for known in (directory(b"a"), file(b"a/b"), directory(b"b"), file(b"c", 3)):
        builder.add(known, 0)
    return builder


@given(FILES)
def test_many_at_once_make_the_same_table(files: list[tuple[bytes, int, int]]) -> None:
    at_once, each = builder_with_some(), builder_with_some()
    given_files = columns(files)
    at_once.add_empty_files(given_files)
    for number in range(len(files)):
        each.add(given_files.member(number), 0)
    assert at_once.refusals == each.refusals
    assert (at_once.members, at_once.absolute) == (each.members, each.absolute)
    assert at_once.text_size == each.text_size
    assert at_once.build().whole() == each.build().whole()


@pytest.mark.parametrize("limit", [Limits(members=9), Limits(memory=40)])
def test_many_at_once_are_counted_against_the_limits(limit: Limits) -> None:
    files = columns([(b"a/%d" % number, stat.S_IFREG | 0o644, 0) for number in range(20)])
    with pytest.raises(RefusedArchive, match="is beyond"):
        builder_with_some(limit).add_empty_files(files)
