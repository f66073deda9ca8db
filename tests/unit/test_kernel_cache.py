from __future__ import annotations

import itertools
import multiprocessing
import os
import pwd
import signal
import sys
from pathlib import Path

import pytest

from kheadersfs.errors import ArchiveUnavailable, KheadersfsError
from kheadersfs.kernel.cache import ArchiveCache, HeaderTree, default_cache_directory

RELEASE = "6.1.0-37-amd64"
COMPLETE = {f"{RELEASE}.tar.xz", f"{RELEASE}.tar.xz.tree", "packed"}


@pytest.fixture
def tree(tmp_path: Path) -> HeaderTree:
    """A tree that is a single header, which says what there is to see in it and to pack."""
    write(tmp_path / "tree", "headers")
    return HeaderTree(str(tmp_path / "tree"), str(tmp_path / "tree"))


def write(path: Path, content: str) -> None:
    path.mkdir(exist_ok=True)
    (path / "header").write_text(content)


def look(tree: HeaderTree) -> str:
    return (Path(tree.objtree) / "header").read_text()


def pack_and_count(tree: HeaderTree, archive: str) -> None:
    """Write an archive, and leave a line beside it, so that the packing can be counted."""
    directory = Path(archive).parent
    with (directory / "packed").open("a") as log:
        log.write(f"{tree.objtree}\n")
    Path(archive).write_text(look(tree))


def counted(directory: Path) -> int:
    return len((directory / "packed").read_text().splitlines())


def cache_in(directory: Path) -> ArchiveCache:
    return ArchiveCache(str(directory), ".tar.xz", look, pack_and_count)


def test_a_tree_is_packed_once(tmp_path: Path, tree: HeaderTree) -> None:
    cache = cache_in(tmp_path / "cache")
    first = cache.archive_of(tree, RELEASE)
    assert cache.archive_of(tree, RELEASE) == first
    assert Path(first).read_text() == "headers"
    assert counted(tmp_path / "cache") == 1


def test_a_tree_that_looks_different_is_packed_again(tmp_path: Path, tree: HeaderTree) -> None:
    cache = cache_in(tmp_path / "cache")
    cache.archive_of(tree, RELEASE)
    write(Path(tree.objtree), "other headers")
    archive = cache.archive_of(tree, RELEASE)
    assert Path(archive).read_text() == "other headers"
    assert cache.archive_of(tree, RELEASE) == archive
    assert counted(tmp_path / "cache") == 2


def test_a_tree_that_changes_while_it_is_packed_is_packed_again(
    tmp_path: Path, tree: HeaderTree
) -> None:
    def pack_and_change(tree: HeaderTree, archive: str) -> None:
        pack_and_count(tree, archive)
        write(Path(tree.objtree), "other headers")

    cache = cache_in(tmp_path / "cache")
    cache._replace(pack=pack_and_change).archive_of(tree, RELEASE)
    assert Path(cache.archive_of(tree, RELEASE)).read_text() == "other headers"


def test_a_tree_that_may_change_unnoticed_is_packed_every_time(
    tmp_path: Path, tree: HeaderTree
) -> None:
    cache = cache_in(tmp_path / "cache")
    cache.archive_of(tree, RELEASE)
    for _ in range(2):
        cache._replace(look=lambda _: "").archive_of(tree, RELEASE)
    assert counted(tmp_path / "cache") == 3
    assert not (tmp_path / f"cache/{RELEASE}.tar.xz.tree").exists()


def test_an_archive_that_is_not_the_recorded_one_is_not_used(
    tmp_path: Path, tree: HeaderTree
) -> None:
    cache = cache_in(tmp_path / "cache")
    archive = Path(cache.archive_of(tree, RELEASE))
    other = tmp_path / "other"
    other.write_text("HEADERS")
    other.rename(archive)
    assert Path(cache.archive_of(tree, RELEASE)).read_text() == "headers"
    archive.unlink()
    assert Path(cache.archive_of(tree, RELEASE)).read_text() == "headers"
    archive.with_name(f"{archive.name}.tree").unlink()
    cache.archive_of(tree, RELEASE)
    assert counted(tmp_path / "cache") == 4


def test_a_link_that_is_changed_before_packing_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "old", "old headers")
    write(tmp_path / "new", "new headers")
    link = tmp_path / "build"
    link.symlink_to("old")

    def pack_later(tree: HeaderTree, archive: str) -> None:
        link.unlink()
        link.symlink_to("new")
        pack_and_count(tree, archive)

    cache = cache_in(tmp_path / "cache")._replace(pack=pack_later)
    archive = Path(cache.archive_of(HeaderTree(str(link), str(link)), RELEASE))
    assert archive.read_text() == "old headers"
    assert Path(cache.archive_of(HeaderTree(str(link), str(link)), RELEASE)) == archive
    assert archive.read_text() == "new headers"


def pack_and_be_killed(cache: ArchiveCache, tree: HeaderTree, after: int) -> None:
    """Ask for the archive, and die when that has called *after* functions of the system."""
    calls = itertools.count()

    def count(_frame: object, event: str, function: object) -> None:
        of_system = event == "c_call" and getattr(function, "__module__", None) == "posix"
        if of_system and next(calls) == after:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    cache.archive_of(tree, RELEASE)


@pytest.mark.parametrize("then", ["headers", "other headers"])
def test_whenever_a_process_is_killed_the_next_has_the_right_headers(
    tmp_path: Path, tree: HeaderTree, then: str
) -> None:
    cache = cache_in(tmp_path / "cache")
    for after in itertools.count():
        write(Path(tree.objtree), "headers")
        cache.archive_of(tree, RELEASE)
        write(Path(tree.objtree), "other headers")
        process = multiprocessing.get_context("fork").Process(
            target=pack_and_be_killed, args=(cache, tree, after)
        )
        process.start()
        process.join(60)
        write(Path(tree.objtree), then)
        assert Path(cache.archive_of(tree, RELEASE)).read_text() == then
        assert names_in(tmp_path / "cache") == COMPLETE
        if process.exitcode == 0:
            break
    assert after > 20


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_only_archives_and_records_remain_in_the_cache(tmp_path: Path, tree: HeaderTree) -> None:
    cache_in(tmp_path / "cache").archive_of(tree, RELEASE)
    assert names_in(tmp_path / "cache") == COMPLETE


def test_what_killed_processes_left_is_removed(tmp_path: Path, tree: HeaderTree) -> None:
    directory = tmp_path / "cache"
    directory.mkdir(mode=0o700)
    for name in (f"{RELEASE}.tar.xz.partial", f".{RELEASE}.tar.xz.partial.x5k_0q1z.tmp"):
        (directory / name).write_text("cut off")
    others = "6.1.0-38-amd64.tar.xz.partial"
    (directory / others).write_text("being written")
    cache_in(directory).archive_of(tree, RELEASE)
    assert names_in(directory) == {*COMPLETE, others}


def test_nothing_remains_of_a_packing_that_failed(tmp_path: Path, tree: HeaderTree) -> None:
    def fail(tree: HeaderTree, archive: str) -> None:
        raise KheadersfsError(f"cannot pack {tree.srctree}")

    directory = tmp_path / "cache"
    with pytest.raises(KheadersfsError, match="cannot pack"):
        ArchiveCache(str(directory), ".tar.xz", look, fail).archive_of(tree, RELEASE)
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"HOME": "here", "XDG_CACHE_HOME": "."}])
def test_a_home_that_is_no_absolute_path_is_not_the_users(environment: dict[str, str]) -> None:
    nobody = pwd.getpwnam("nobody")
    os.seteuid(nobody.pw_uid)
    try:
        assert default_cache_directory(environment) == f"{nobody.pw_dir}/.cache/kheadersfs"
        assert default_cache_directory({"HOME": "/home/u"}) == "/home/u/.cache/kheadersfs"
    finally:
        os.seteuid(0)
