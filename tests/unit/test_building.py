"""From members to the table: what tar would extract, without what must not be mounted."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.archive.member import Member
from kheadersfs.archive.names.building import TableBuilder
from kheadersfs.archive.names.page import NAME_LIMIT, ROOT
from kheadersfs.archive.names.table import Table
from kheadersfs.limits import Limits
from kheadersfs.tree import Tree
from tests.support.members import (
    build,
    built,
    directory,
    file,
    hard_link,
    members,
    numbered,
    symlink,
)
from tests.support.tables import check, paths, refusal_of, tree_of


@given(st.lists(members, max_size=15))
def test_whatever_the_members_are_the_table_holds_together(chosen: list[Member]) -> None:
    table, refusals = build(*chosen)
    check(table)
    tree = Tree(table)
    found = list(tree.walk())
    assert len({path for path, _ in found}) == len(found)
    for path, inode in found:
        assert b".." not in path.split(b"/")
        assert tree.resolve(path) == inode
        assert (tree.path(inode), inode) in found
    named = [inode for _, inode in found]
    for inode in set(named):
        if not tree.is_directory(inode):
            assert tree.attributes(inode).links == named.count(inode)
    assert len(refusals) <= len(chosen)


@given(st.lists(members, max_size=10))
def test_inode_numbers_depend_on_the_names_alone(chosen: list[Member]) -> None:
    first, _ = build(*chosen)
    again, _ = build(*(member._replace(mtime=7) for member in chosen))
    assert first.whole().entry_inode == again.whole().entry_inode
    assert first.whole().names == again.whole().names


def test_an_empty_archive_is_an_empty_root() -> None:
    tree = tree_of()
    assert paths(tree) == []
    assert tree.attributes(ROOT).links == 2


def test_leading_dots_and_doubled_slashes_do_not_matter() -> None:
    tree = tree_of(file(b"./a/b"), file(b"a//c"), file(b"a/./d"), directory(b"a/e/"))
    assert paths(tree) == [b"a", b"a/b", b"a/c", b"a/d", b"a/e"]


def test_absolute_names_lose_their_slashes_and_targets_of_symlinks_do_not() -> None:
    builder = TableBuilder("archive", Limits())
    for member in (
        file(b"//a/b", 10),
        hard_link(b"/c", b"/a/b"),
        hard_link(b"d", b"///a/b"),
        symlink(b"/s", b"/a/b"),
        directory(b"/", 0o711),
        file(b"a/x"),
    ):
        builder.add(member, 0)
    tree = Tree(builder.build())
    assert paths(tree) == [b"a", b"a/b", b"a/x", b"c", b"d", b"s"]
    assert tree.attributes(tree.resolve(b"a/b")).links == 3
    assert tree.target(tree.resolve(b"s")) == b"/a/b"
    assert tree.attributes(ROOT).mode == stat.S_IFDIR | 0o711
    assert (builder.absolute, builder.refusals) == (5, [])


def test_missing_parents_are_made() -> None:
    tree = tree_of(file(b"a/b/c", 5))
    assert paths(tree) == [b"a", b"a/b", b"a/b/c"]
    assert tree.attributes(tree.resolve(b"a/b")).mode == stat.S_IFDIR | 0o755


def test_a_directory_that_comes_after_its_content_gives_its_own_mode_and_time() -> None:
    tree = tree_of(file(b"a/b"), directory(b"a", 0o700, 77))
    attributes = tree.attributes(tree.resolve(b"a"))
    assert (attributes.mode, attributes.mtime) == (stat.S_IFDIR | 0o700, 77)
    assert paths(tree) == [b"a", b"a/b"]


def test_the_root_may_be_named() -> None:
    tree = tree_of(directory(b"./", 0o711, 5), file(b"./a"))
    assert tree.attributes(ROOT).mode == stat.S_IFDIR | 0o711
    assert tree.attributes(ROOT).mtime == 5


def test_directories_count_their_subdirectories_as_links() -> None:
    tree = tree_of(directory(b"a"), directory(b"a/b"), directory(b"a/c"), file(b"a/d"))
    assert tree.attributes(tree.resolve(b"a")).links == 4
    assert tree.attributes(ROOT).links == 3


def test_a_later_duplicate_replaces_an_earlier_one() -> None:
    tree = tree_of(file(b"a", 10), file(b"b", 20), file(b"a", 30))
    assert tree.extent(tree.resolve(b"a")) == (1024, 30)
    assert len(tree) == 3


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (file(b"a"), symlink(b"a", b"t")),
        (symlink(b"a", b"t"), file(b"a")),
        (file(b"a"), directory(b"a")),
        (directory(b"a"), file(b"a")),
        (directory(b"a"), symlink(b"a", b"t")),
    ],
)
def test_a_later_duplicate_may_be_of_another_kind(earlier: Member, later: Member) -> None:
    tree = tree_of(earlier, later)
    assert tree.attributes(tree.resolve(b"a")).mode == later.mode
    assert len(tree) == 2


def test_below_a_directory_that_was_replaced_nothing_can_be_put() -> None:
    assert "not a directory" in refusal_of(directory(b"a/b"), file(b"a/b"), file(b"a/b/c"))


def test_a_file_that_replaces_a_directory_with_content_is_refused() -> None:
    assert "directory with content" in refusal_of(file(b"a/b"), file(b"a"))


def test_a_member_below_a_file_or_a_symlink_is_refused() -> None:
    assert "not a directory" in refusal_of(file(b"a"), file(b"a/b"))
    assert "not a directory" in refusal_of(symlink(b"a", b"/etc"), file(b"a/passwd"))


def test_nothing_is_put_into_a_directory_whose_name_is_a_files_by_now() -> None:
    table, refusals = build(directory(b"d"), symlink(b"d/l", b""), file(b"d"), file(b"d/x"))
    assert ["target of 0" in refusals[0], "not a directory" in refusals[1]] == [True, True]
    assert paths(Tree(table)) == [b"d"]


def test_of_damaged_archives_only_what_was_read_to_its_end_is_there() -> None:
    builder = TableBuilder("archive", Limits())
    kept = directory(b"d"), file(b"d/empty"), symlink(b"d/link", b"t"), file(b"whole", 512)
    for member in (*kept, numbered(file(b"unknown"), 7), file(b"twice", 10)):
        builder.add(member, 0)
    builder.add(file(b"twice", 10), 512)
    builder.add(hard_link(b"again", b"twice"), 522)
    builder.forget_incomplete(521)
    assert sorted(paths(Tree(builder.build()))) == sorted(member.name for member in kept)


def test_a_long_path_is_refused_beside_a_short_one_too() -> None:
    builder = TableBuilder("archive", Limits(path=8))
    for name in (b"dir/a", b"dir/abcde"):
        builder.add(file(name), 0)
    assert [refusal.name for refusal in builder.refusals] == [b"dir/abcde"]


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (file(b"/../a"), ".."),
        (file(b"/"), "root is a directory"),
        (file(b"a")._replace(size=-1), "negative size"),
        (file(b"../a"), ".."),
        (file(b"a/../../b"), ".."),
        (file(b"a/.."), ".."),
        (file(b"."), "root is a directory"),
        (symlink(b"./", b"t"), "root is a directory"),
        (file(b"n" * (NAME_LIMIT + 1)), "a name of 256 bytes"),
        (file(b"d/" * (Limits().path // 2) + b"f"), "a path of"),
        (symlink(b"a", b""), "target of 0 bytes"),
        (symlink(b"a", b"t" * Limits().path), "target of 4096 bytes"),
        (file(b"a", mode=0o4755), "set-user-ID"),
        (file(b"a", mode=0o2755), "set-user-ID or set-group-ID"),
        (Member(b"a", stat.S_IFCHR | 0o666, 0, 0, None, False), "neither a file"),
        (Member(b"a", stat.S_IFBLK | 0o666, 0, 0, None, False), "neither a file"),
        (Member(b"a", stat.S_IFIFO | 0o666, 0, 0, None, False), "neither a file"),
        (Member(b"a", stat.S_IFSOCK | 0o666, 0, 0, None, False), "neither a file"),
        (Member(b"a", 0o644, 0, 0, None, False), "neither a file"),
    ],
)
def test_what_must_not_be_mounted_is_refused_by_name(member: Member, why: str) -> None:
    refusal = refusal_of(member)
    assert why in refusal
    assert repr(member.name.decode())[:200] in refusal


def test_names_and_paths_may_be_as_long_as_linux_permits() -> None:
    name = b"n" * NAME_LIMIT
    deep = b"/".join([b"d" * 254] * 16)
    tree = tree_of(file(name), file(deep))
    assert tree.resolve(name)
    assert tree.resolve(deep)


def test_a_sticky_directory_keeps_its_bit_and_a_group_may_be_inherited() -> None:
    tree = tree_of(directory(b"a", 0o1777), directory(b"b", 0o2755))
    assert tree.attributes(tree.resolve(b"a")).mode == stat.S_IFDIR | 0o1777
    assert tree.attributes(tree.resolve(b"b")).mode == stat.S_IFDIR | 0o2755


def test_a_refused_name_is_shown_without_its_control_characters() -> None:
    assert "\n" not in refusal_of(file(b"../evil\nname\xff"))


def test_entries_are_sorted_within_their_directory() -> None:
    table: Table
    table = built(file(b"b"), file(b"a/z"), file(b"a/b"), file(b"\xff"), file(b"A"))
    tree = Tree(table)
    assert [name for _, name, _ in tree.entries(ROOT)] == [b"A", b"a", b"b", b"\xff"]
