"""Tables of a few members, for tests."""

from __future__ import annotations

from kheadersfs.archive.member import Member
from kheadersfs.archive.names.index import DIGEST_SIZE, Index, decode, encode, find
from kheadersfs.archive.names.table import Table
from kheadersfs.limits import UNLIMITED
from kheadersfs.tree import Tree
from tests.support.members import (
    build,
    built,
    divide,
)


def tree_of(*chosen: Member) -> Tree:
    return Tree(built(*chosen))


def paths(tree: Tree) -> list[bytes]:
    return [path for path, _ in tree.walk()]


def check(table: Table) -> None:
    """Check that *table* holds together: that it could come with an archive, in small pages."""
    starts = divide(table, 2)
    index = Index(table, "", "", [bytes(DIGEST_SIZE)] * (len(starts) - 1), 0, starts[-1])
    decode(
        find(encode(index, starts[:-1], page_entries=3)), starts, "index", UNLIMITED
    ).table.check()


def refusal_of(*chosen: Member) -> str:
    """Return why the last of *chosen* was refused, the only one that was."""
    table, refusals = build(*chosen)
    assert len(refusals) == 1
    check(table)
    return refusals[0]
