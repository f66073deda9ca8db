"""Questions about a tree: names, listings, attributes, ways down and up."""

from __future__ import annotations

import stat

import pytest

from kheadersfs.archive.names.page import ROOT
from kheadersfs.tree import Attributes, Tree
from tests.support.members import built, directory, file, hard_link, symlink


@pytest.fixture
def tree() -> Tree:
    table = built(
        directory(b"include", 0o750, 11),
        file(b"include/b.h", 513, 0o600, 22),
        file(b"include/a.h"),
        directory(b"include/empty"),
        hard_link(b"same.h", b"include/b.h"),
        symlink(b"link", b"include/b.h"),
        file(b"include/linux/deep.h", 5),
    )
    return Tree(table)


def test_a_name_is_looked_up_in_its_directory_only(tree: Tree) -> None:
    include = tree.lookup(ROOT, b"include")
    assert tree.lookup(include, b"b.h") == tree.lookup(ROOT, b"same.h") != 0
    assert tree.lookup(ROOT, b"b.h") == 0
    assert tree.lookup(include, b"B.H") == 0
    assert tree.lookup(include, b"") == 0


def test_nothing_is_below_a_file(tree: Tree) -> None:
    inode = tree.resolve(b"include/b.h")
    assert tree.lookup(inode, b"a") == 0
    assert list(tree.entries(inode)) == []


def test_attributes_are_those_of_the_member(tree: Tree) -> None:
    inode = tree.resolve(b"include/b.h")
    assert tree.attributes(inode) == Attributes(inode, stat.S_IFREG | 0o600, 2, 513, 2, 22)
    inode = tree.resolve(b"include")
    assert tree.attributes(inode) == Attributes(inode, stat.S_IFDIR | 0o750, 4, 0, 0, 11)
    inode = tree.resolve(b"link")
    assert tree.attributes(inode)[1:5] == (stat.S_IFLNK | 0o777, 1, len(b"include/b.h"), 0)
    assert tree.target(inode) == b"include/b.h"


@pytest.mark.parametrize(("size", "blocks"), [(0, 0), (1, 1), (512, 1), (513, 2), (4096, 8)])
def test_a_file_takes_as_many_blocks_as_its_size_needs(size: int, blocks: int) -> None:
    tree = Tree(built(file(b"a", size)))
    assert tree.attributes(tree.resolve(b"a")).blocks == blocks


def test_a_listing_goes_on_after_any_position(tree: Tree) -> None:
    include = tree.resolve(b"include")
    everything = list(tree.entries(include))
    assert [name for _, name, _ in everything] == [b"a.h", b"b.h", b"empty", b"linux"]
    assert [position for position, _, _ in everything] == [1, 2, 3, 4]
    for after in range(5):
        assert list(tree.entries(include, after)) == everything[after:]
    assert list(tree.entries(include, 99)) == []
    assert list(tree.entries(tree.resolve(b"include/empty"))) == []


def test_a_path_leads_to_an_inode_without_following_symlinks(tree: Tree) -> None:
    inode = tree.resolve(b"include/linux/deep.h")
    assert inode
    assert tree.resolve(b"/include//linux/./deep.h/") == inode
    assert tree.resolve(b"") == tree.resolve(b".") == ROOT
    for absent in (b"absent", b"link/x", b"include/b.h/x", b"include/../include", b"absent/x"):
        assert tree.resolve(absent) == 0


def test_an_inode_leads_back_to_its_first_path(tree: Tree) -> None:
    for path, inode in tree.walk():
        if path != b"include/b.h":  # its other name comes before it, breadth first
            assert tree.path(inode) == path
    assert tree.path(tree.resolve(b"include/b.h")) == b"same.h"
    assert tree.path(ROOT) == b""


def test_a_walk_visits_directories_before_their_content(tree: Tree) -> None:
    assert [path for path, _ in tree.walk()] == [
        b"include",
        b"include/a.h",
        b"include/b.h",
        b"include/empty",
        b"include/linux",
        b"include/linux/deep.h",
        b"link",
        b"same.h",
    ]
    below = [path for path, _ in tree.walk(tree.resolve(b"include/linux"), b"include/linux")]
    assert below == [b"include/linux/deep.h"]


def test_content_is_counted_once_however_many_names_it_has(tree: Tree) -> None:
    assert tree.content_size() == 513 + 5
    assert len(tree) == 8


def test_a_tree_of_many_levels_is_walked_without_recursion() -> None:
    deep = b"/".join([b"d"] * 2000)
    tree = Tree(built(file(deep)))
    *_, (path, inode) = tree.walk()
    assert path == deep == tree.path(inode)
