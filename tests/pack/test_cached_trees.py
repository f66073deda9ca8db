"""The cache of packed header trees, with the real packer: whose headers are in its archive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.archive.names import index
from kheadersfs.cli import defaults
from kheadersfs.cli.defaults import cache_in
from kheadersfs.kernel.cache import ArchiveCache, HeaderTree
from tests.support.mounting import wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.pack.conftest import SmallTree

RELEASE = "6.1.7-test"
HEADER = "include/linux/sched.h"
CONFIGURATION = "include/generated/autoconf.h"


@pytest.fixture
def cache(tmp_path: Path) -> ArchiveCache:
    return cache_in(str(tmp_path / "cache"))


def wait_until_old(cache: ArchiveCache, tree: Path) -> HeaderTree:
    """Return the headers of *tree* once their times can be relied on."""
    found = HeaderTree(str(tree), str(tree))
    wait_until(lambda: cache.look(found) != "", "the clock that files have their times from ticks")
    return found


def read(cache: ArchiveCache, tree: HeaderTree, path: str) -> str:
    """Return the text of a header in the archive that the cache has of *tree*."""
    with kheadersfs.open_archive(cache.archive_of(tree, RELEASE)) as archive:
        return archive.read(path).decode()


def test_a_tree_is_packed_once_and_anew_when_a_header_changes(
    small_tree: SmallTree, cache: ArchiveCache
) -> None:
    made = small_tree()
    tree = wait_until_old(cache, made)
    before = os.stat(cache.archive_of(tree, RELEASE))
    assert os.stat(cache.archive_of(tree, RELEASE)) == before
    (made / HEADER).write_text("struct edited;\n")
    assert read(cache, tree, HEADER) == "struct edited;\n"


def test_a_link_that_leads_to_another_tree_leads_to_its_headers(
    small_tree: SmallTree, tmp_path: Path, cache: ArchiveCache
) -> None:
    link = tmp_path / "build"
    trees = [small_tree(name, {HEADER: f"struct {name};\n"}) for name in ("old", "new")]
    for tree in trees:
        wait_until_old(cache, tree)
    for tree in (*trees, *trees):
        link.unlink(missing_ok=True)
        link.symlink_to(tree)
        text = f"struct {tree.name};\n"
        assert read(cache, HeaderTree(str(link), str(link)), HEADER) == text


def test_a_kernel_that_is_configured_while_its_headers_are_packed_is_packed_again(
    small_tree: SmallTree, cache: ArchiveCache
) -> None:
    made = small_tree()

    def pack_and_configure(tree: HeaderTree, path: str) -> None:
        cache.pack(tree, path)
        with (made / CONFIGURATION).open("a") as stream:
            stream.write("#define CONFIG_NEW 1\n")

    tree = wait_until_old(cache, made)
    cache._replace(pack=pack_and_configure).archive_of(tree, RELEASE)
    wait_until_old(cache, made)
    assert "CONFIG_NEW" in read(cache, tree, CONFIGURATION)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(index, "VERSION", index.VERSION - 1), (defaults, "__version__", "0.0.9")],
)
def test_what_an_older_version_packed_is_not_kept(
    small_tree: SmallTree,
    cache: ArchiveCache,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    value: object,
) -> None:
    tree = wait_until_old(cache, small_tree())
    with monkeypatch.context() as older:
        older.setattr(module, name, value)
        before = os.stat(cache.archive_of(tree, RELEASE))
    assert os.stat(cache.archive_of(tree, RELEASE)).st_ino != before.st_ino
    with kheadersfs.open_archive(cache.archive_of(tree, RELEASE)) as archive:
        assert archive.read(HEADER)
