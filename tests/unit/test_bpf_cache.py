from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from kheadersfs.bpf.cache import ArchiveCache, HeaderTree, default_cache_directory
from kheadersfs.errors import ArchiveUnavailable, KheadersfsError

RELEASE = "6.1.0-37-amd64"


@pytest.fixture
def tree(tmp_path: Path) -> HeaderTree:
    for name in ("include/linux/kconfig.h", "include/generated/autoconf.h"):
        header = tmp_path / "tree" / name
        header.parent.mkdir(parents=True)
        header.touch()
    return HeaderTree(str(tmp_path / "tree"), str(tmp_path / "tree"))


def pack_and_count(tree: HeaderTree, archive: str) -> None:
    """Write an archive, and leave a line beside it, so that the packing can be counted."""
    directory = Path(archive).parent
    with (directory / "packed").open("a") as log:
        log.write(f"{tree.objtree}\n")
    Path(archive).write_bytes(b"archive")


def counted(directory: Path) -> int:
    return len((directory / "packed").read_text().splitlines())


def cache_in(directory: Path) -> ArchiveCache:
    return ArchiveCache(str(directory), ".tar.xz", pack_and_count)


def test_a_tree_is_packed_once(tmp_path: Path, tree: HeaderTree) -> None:
    cache = cache_in(tmp_path / "cache")
    first = cache.archive_of(tree, RELEASE)
    assert cache.archive_of(tree, RELEASE) == first
    assert Path(first).read_bytes() == b"archive"
    assert counted(tmp_path / "cache") == 1


def test_a_tree_that_was_installed_anew_is_packed_again(tmp_path: Path, tree: HeaderTree) -> None:
    cache = cache_in(tmp_path / "cache")
    archive = Path(cache.archive_of(tree, RELEASE))
    before_the_tree = Path(tree.objtree).stat().st_ctime_ns - 1
    os.utime(archive, ns=(before_the_tree, before_the_tree))
    cache.archive_of(tree, RELEASE)
    assert counted(tmp_path / "cache") == 2


def test_only_archives_remain_in_the_cache(tmp_path: Path, tree: HeaderTree) -> None:
    cache_in(tmp_path / "cache").archive_of(tree, RELEASE)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {f"{RELEASE}.tar.xz", "packed"}


def test_nothing_remains_of_a_packing_that_failed(tmp_path: Path, tree: HeaderTree) -> None:
    def fail(tree: HeaderTree, archive: str) -> None:
        raise KheadersfsError(f"cannot pack {tree.srctree}")

    directory = tmp_path / "cache"
    with pytest.raises(KheadersfsError, match="cannot pack"):
        ArchiveCache(str(directory), ".tar.xz", fail).archive_of(tree, RELEASE)
    assert list(directory.iterdir()) == []


def test_many_who_ask_at_once_wait_for_one_packing(tmp_path: Path, tree: HeaderTree) -> None:
    cache = cache_in(tmp_path / "cache")
    processes = [
        multiprocessing.get_context("fork").Process(target=cache.archive_of, args=(tree, RELEASE))
        for _ in range(20)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 20
    assert counted(tmp_path / "cache") == 1
    assert not (tmp_path / f"cache/{RELEASE}.lock").exists()


def test_a_directory_where_others_can_write_is_refused(tmp_path: Path, tree: HeaderTree) -> None:
    directory = tmp_path / "cache"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(ArchiveUnavailable, match="cannot be trusted"):
        cache_in(directory).archive_of(tree, RELEASE)
    assert list(directory.iterdir()) == []


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path, tree: HeaderTree) -> None:
    directory = tmp_path / "cache"
    directory.mkdir(mode=0o700)
    (directory / f"{RELEASE}.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ArchiveUnavailable):
        cache_in(directory).archive_of(tree, RELEASE)
    assert not (tmp_path / "victim").exists()


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, tree: HeaderTree) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveUnavailable, match="XDG_CACHE_HOME"):
        cache_in(tmp_path / "file/cache").archive_of(tree, RELEASE)


@pytest.mark.skipif(os.geteuid() != 0, reason="root's cache is not in the environment")
def test_roots_cache_is_the_machines() -> None:
    assert default_cache_directory({"XDG_CACHE_HOME": "/home/u"}) == "/var/cache/kheadersfs"
