"""Members and tables for tests that need no archive."""

from __future__ import annotations

import stat

from hypothesis import strategies as st

from kheadersfs.archive.member import Member
from kheadersfs.archive.names.building import TableBuilder
from kheadersfs.archive.names.table import Table
from kheadersfs.limits import Limits

CONTENT_UNIT = 512


def file(name: bytes, size: int = 0, mode: int = 0o644, mtime: int = 0) -> Member:
    return Member(name, stat.S_IFREG | mode, mtime, size, None, False)


def directory(name: bytes, mode: int = 0o755, mtime: int = 0) -> Member:
    return Member(name, stat.S_IFDIR | mode, mtime, 0, None, False)


def symlink(name: bytes, target: bytes) -> Member:
    return Member(name, stat.S_IFLNK | 0o777, 0, 0, target, False)


def hard_link(name: bytes, target: bytes, size: int = 0) -> Member:
    return Member(name, stat.S_IFREG | 0o644, 0, size, target, True)


def numbered(member: Member, number: int) -> Member:
    """Return *member* as cpio has one of several names."""
    return member._replace(inode=(0, number))


def build(*members: Member) -> tuple[Table, list[str]]:
    """Return the table of *members*, laid out one behind the other, and the refusals."""
    builder = TableBuilder("archive", Limits(depth=10_000))
    start = 0
    for member in members:
        builder.add(member, start)
        start += -(-member.size // CONTENT_UNIT) * CONTENT_UNIT
    return builder.build(), [str(refusal) for refusal in builder.refusals]


def built(*members: Member) -> Table:
    """Return the table of *members*, none of which is refused."""
    table, refusals = build(*members)
    assert refusals == []
    return table


def divide(table: Table, every: int) -> list[int]:
    """Return where blocks begin, one at *every* so many files, and where the last one ends."""
    whole = table.whole()
    files = whole.rows(stat.S_IFREG)
    starts = sorted({0, *(whole.inode_start[row] for row in files)})
    end = max((whole.inode_start[row] + whole.inode_size[row] for row in files), default=0)
    return [*starts[::every], end + CONTENT_UNIT]


_components = st.sampled_from([b"a", b"b", b"include", b"\xff\n", b"x" * 255, b".", b"..", b""])
_names = st.lists(_components, min_size=1, max_size=4).map(b"/".join)
_times = st.integers(-(2**62), 2**62)
# No archive can hold a NUL in one, and an index that does is not believed.
_targets = st.binary(max_size=5).map(lambda target: target.replace(b"\0", b"0"))

members = st.one_of(
    st.builds(file, _names, st.integers(0, 5000), st.integers(0, 0o7777), _times),
    st.builds(directory, _names, st.integers(0, 0o7777), _times),
    st.builds(symlink, _names, _targets),
    st.builds(hard_link, _names, _names, st.integers(0, 2)),
)
"""Members of every kind, often with the same names, often refused."""

tables = st.lists(members, max_size=12).map(lambda chosen: build(*chosen)[0])
