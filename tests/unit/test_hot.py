"""Which headers are hot: the files in the first blocks of an archive, and what names them."""

from __future__ import annotations

import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.names.page import ROOT
from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import IndexReader
from kheadersfs.fuse.hot import HotEntry, can_be_found, find_hot
from kheadersfs.tree import tree_of
from tests.support.mounting import command_line

if TYPE_CHECKING:
    from pathlib import Path

    from kheadersfs.archive.content import Content
    from kheadersfs.tree import Tree

LARGEST = 100 << 10


@pytest.fixture(scope="module", params=["alone", "one of two"])
def content(
    request: pytest.FixtureRequest,
    reference_archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Content:
    packed = tmp_path_factory.mktemp("hot") / "packed.tar.zst"
    subprocess.run(command_line("repack", reference_archive, packed), check=True)
    if request.param != "alone":
        kernel, packed = packed, packed.with_name("kernels.tar.zst")
        both = (f"one={kernel}", f"two={kernel}")
        subprocess.run(command_line("merge", *both, "-o", packed), check=True)
    reader = IndexReader(open_archive(str(packed)))
    reader.prepare()
    return reader.load()


@pytest.fixture
def tree(content: Content) -> Tree:
    return tree_of(content.table, 1 if content.kernels else None)


@pytest.mark.parametrize("blocks", [0, 1, 3, 10])
def test_hot_is_what_lies_in_the_first_blocks(content: Content, tree: Tree, blocks: int) -> None:
    starts = content.blocks.starts
    expected = {
        inode
        for _, inode in tree.walk()
        if stat.S_ISREG(tree.attributes(inode).mode)
        and 0 < tree.extent(inode)[1] <= LARGEST
        and sum(tree.extent(inode)) <= starts[blocks]
    }
    hot = find_hot(tree, starts, blocks, LARGEST, "x86")
    assert len(expected) >= 10 * (blocks - 1)  # the first block is small
    assert {file.inode for files in hot.blocks for file in files} == expected
    for number, files in enumerate(hot.blocks):
        for start, size, inode in files:
            assert tree.extent(inode) == (start, size)
            assert starts[number] <= start <= start + size <= starts[number + 1]


def test_every_name_that_leads_to_a_hot_file_is_where_the_listing_has_it(
    content: Content, tree: Tree
) -> None:
    hot = find_hot(tree, content.blocks.starts, content.hot_blocks, LARGEST, "x86")
    inodes = {file.inode for files in hot.blocks for file in files}
    assert len(hot.entries) > 10
    for directory, entries in hot.entries.items():
        assert entries
        listed = [HotEntry(*entry) for entry in tree.entries(directory)]
        leading = inodes | hot.entries.keys()
        assert entries == [entry for entry in listed if entry.inode in leading]
    named = [entry.inode for entries in hot.entries.values() for entry in entries]
    assert sorted(named) == sorted(inodes | hot.entries.keys() - {ROOT})


def test_a_directory_comes_before_those_in_it_and_one_with_more_before_its_neighbours(
    content: Content, tree: Tree
) -> None:
    hot = find_hot(tree, content.blocks.starts, content.hot_blocks, LARGEST, "x86")
    order = list(hot.entries)
    for place, directory in enumerate(order[1:], 1):
        assert tree.parent(directory) in order[:place]
    paths = [tree.path(directory) for directory in order]
    assert paths[:3] == [b"", b"include", b"include/linux"]


def test_nothing_is_hot_where_several_kernels_are_shown(content: Content) -> None:
    assert can_be_found(tree_of(content.table)) == (not content.kernels)
