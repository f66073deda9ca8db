"""Hard links among an archive's members."""

from __future__ import annotations

import pytest

from kheadersfs.archive.member import Member
from kheadersfs.tree import Tree
from tests.support.members import (
    build,
    directory,
    file,
    hard_link,
    numbered,
    symlink,
)
from tests.support.tables import paths, refusal_of, tree_of


def test_hard_links_share_an_inode() -> None:
    tree = tree_of(file(b"a", 10), hard_link(b"b", b"a"), hard_link(b"./c/d", b"./a"))
    inode = tree.resolve(b"a")
    assert tree.resolve(b"b") == tree.resolve(b"c/d") == inode
    assert tree.attributes(inode).links == 3
    assert tree.path(inode) == b"a"


def test_in_cpio_the_names_of_a_number_share_an_inode_and_its_content() -> None:
    tree = tree_of(
        numbered(file(b"a"), 7),
        file(b"x", 512),
        numbered(file(b"b", 30), 7),
        numbered(file(b"c"), 7),
    )
    inode = tree.resolve(b"a")
    assert [tree.resolve(name) for name in (b"b", b"c")] == [inode, inode]
    assert (tree.extent(inode), tree.attributes(inode).links) == ((512, 30), 3)


def test_what_differs_in_type_shares_no_number() -> None:
    tree = tree_of(numbered(file(b"a", 10), 7), numbered(symlink(b"s", b"target"), 7))
    assert tree.extent(tree.resolve(b"a")) == (0, 10)
    assert tree.target(tree.resolve(b"s")) == b"target"


@pytest.mark.parametrize("sizes", [(0, 30), (30, 0)])
def test_content_that_comes_with_a_refused_name_is_that_of_the_others(
    sizes: tuple[int, int],
) -> None:
    first, second = sizes
    table, refusals = build(
        numbered(file(b"../a", first), 7), numbered(file(b"b", second), 7), file(b"c", 40)
    )
    tree = Tree(table)
    assert len(refusals) == 1
    assert tree.extent(tree.resolve(b"b")) == (0, 30)


def test_behind_hard_links_inodes_have_their_own_paths() -> None:
    tree = tree_of(file(b"a"), hard_link(b"b", b"a"), file(b"c"), hard_link(b"d", b"c"), file(b"e"))
    paths_of_inodes = [tree.path(tree.resolve(name)) for name in (b"a", b"b", b"c", b"d", b"e")]
    assert paths_of_inodes == [b"a", b"a", b"c", b"c", b"e"]


def test_a_hard_link_keeps_what_its_target_was_when_that_is_replaced() -> None:
    tree = tree_of(file(b"a", 10), hard_link(b"b", b"a"), file(b"a", 20))
    assert tree.extent(tree.resolve(b"b")) == (0, 10)
    assert tree.attributes(tree.resolve(b"b")).links == 1


def test_the_content_may_come_with_the_last_of_the_links() -> None:
    tree = tree_of(file(b"a"), hard_link(b"b", b"a"), file(b"x", 512), hard_link(b"c", b"a", 30))
    assert tree.extent(tree.resolve(b"a")) == (512, 30)


def test_a_hard_link_to_what_is_missing_makes_no_directory_for_it() -> None:
    table, refusals = build(hard_link(b"b", b"missing/a"))
    assert len(refusals) == 1
    assert paths(Tree(table)) == []


def test_a_hard_link_that_is_refused_leaves_the_content_as_it_was() -> None:
    link = hard_link(b"d", b"a", 30)
    table, refusals = build(file(b"a", 10), file(b"d/x", 5), link, file(b"other", 40))
    tree = Tree(table)
    assert len(refusals) == 1
    assert tree.extent(tree.resolve(b"a")) == (0, 10)


def test_every_symlink_has_its_own_target() -> None:
    tree = tree_of(symlink(b"a", b"first"), symlink(b"c", b"2nd"), symlink(b"b", b"third"))
    targets = [tree.target(tree.resolve(name)) for name in (b"a", b"c", b"b")]
    assert targets == [b"first", b"2nd", b"third"]


def test_a_symlink_can_be_linked_too() -> None:
    tree = tree_of(symlink(b"a", b"target"), hard_link(b"b", b"a"))
    assert tree.target(tree.resolve(b"b")) == b"target"


def test_what_a_link_to_a_symlink_brings_is_not_its_target() -> None:
    tree = tree_of(file(b"x", 600), symlink(b"a", b"target"), hard_link(b"b", b"a", 3))
    assert tree.attributes(tree.resolve(b"a")).size == len(b"target")
    assert tree.target(tree.resolve(b"b")) == b"target"


@pytest.mark.parametrize(
    ("link", "why"),
    [
        (hard_link(b"b", b"absent"), "not in the archive"),
        (hard_link(b"b", b"d"), "hard link to a directory"),
        (hard_link(b"b", b"../a"), ".."),
        (hard_link(b"b", b"/absent"), "not in the archive"),
        (hard_link(b"b", b"/../a"), ".."),
        (hard_link(b"b", b"b"), "not in the archive"),
        (hard_link(b"", b"a"), "directory"),
    ],
)
def test_a_hard_link_to_anything_but_a_member_is_refused(link: Member, why: str) -> None:
    assert why in refusal_of(file(b"a"), directory(b"d"), link)
