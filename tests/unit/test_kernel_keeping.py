"""What is packed into the cache takes no more than it may: who was used last stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kheadersfs.kernel.cache import ArchiveCache, HeaderTree, kept_archive, lock_of
from kheadersfs.kernel.keeping import clear, kept_archives, shrink
from kheadersfs.locking import exclusive

SIZE = 100
NAMES = ("6.1", "6.6", "6.12")


def keep(directory: Path, name: str) -> str:
    """Keep an archive of SIZE bytes, packed anew if it is not there."""

    def pack(path: str) -> None:
        Path(path).write_bytes(bytes(SIZE))

    return kept_archive(str(directory / f"{name}.tar.zst"), name, lambda: name, pack)


def grow_old(archive: str, age: int) -> None:
    """Have *archive* been used for the last time on day *age* of 1970."""
    os.utime(f"{archive}.tree", (age * 86_400, age * 86_400))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A cache with the archives of NAMES, of which the first was not used for longest."""
    for age, name in enumerate(NAMES):
        grow_old(keep(tmp_path / "cache", name), age)
    return tmp_path / "cache"


def names_in(directory: Path) -> list[str]:
    return [Path(kept.path).name.removesuffix(".tar.zst") for kept in kept_archives(str(directory))]


def test_what_was_not_used_for_longest_goes_first(directory: Path) -> None:
    assert names_in(directory) == list(NAMES)
    shrink(str(directory), 3 * SIZE, ())
    assert names_in(directory) == list(NAMES)
    shrink(str(directory), 2 * SIZE, ())
    assert names_in(directory) == ["6.6", "6.12"]
    assert sorted(os.listdir(directory)) == [
        f"{name}.tar.zst{suffix}" for name in ("6.12", "6.6") for suffix in ("", ".tree")
    ]


def test_what_is_used_is_used_last(directory: Path) -> None:
    keep(directory, NAMES[0])
    assert names_in(directory) == ["6.6", "6.12", "6.1"]


def test_what_a_process_uses_stays_however_large_it_is(directory: Path) -> None:
    shrink(str(directory), 0, [str(directory / "6.1.tar.zst")])
    assert names_in(directory) == ["6.1"]


def test_what_another_process_was_given_just_now_stays(directory: Path) -> None:
    keep(directory, NAMES[1])
    shrink(str(directory), 0, ())
    assert names_in(directory) == ["6.6"]


def test_what_another_process_packs_is_not_waited_for(directory: Path) -> None:
    with exclusive(lock_of(str(directory / "6.6.tar.zst"))):
        shrink(str(directory), 0, ())
        clear(str(directory))
        assert names_in(directory) == ["6.6"]


def test_what_a_killed_process_had_half_removed_is_removed_or_packed_again(
    directory: Path,
) -> None:
    for name in NAMES[:2]:
        (directory / f"{name}.tar.zst").unlink()
    assert Path(keep(directory, NAMES[0])).read_bytes() == bytes(SIZE)
    shrink(str(directory), SIZE - 1, ())
    assert names_in(directory) == ["6.1"]


def test_clearing_removes_what_killed_processes_have_left_and_the_directory(
    directory: Path,
) -> None:
    for name in ("6.1.tar.zst.partial", ".6.1.tar.zst.partial.abc.tmp", "6.2.lock"):
        (directory / name).touch()
    with exclusive(lock_of(str(directory / "6.6.tar.zst"))):
        (directory / "6.6.tar.zst.partial").touch()
        clear(str(directory))
        kept = ("6.6.lock", *(f"6.6.tar.zst{suffix}" for suffix in ("", ".partial", ".tree")))
        assert sorted(os.listdir(directory)) == [*kept]
    clear(str(directory))
    assert not directory.exists()


def test_clearing_leaves_what_cannot_be_packed_again(directory: Path, tmp_path: Path) -> None:
    (directory / "fetched").mkdir()
    (directory / "fetched/6.1.tar.zst").touch()
    (directory / "mine.tar.zst").touch()
    clear(str(directory))
    assert sorted(os.listdir(directory)) == ["fetched", "mine.tar.zst"]
    clear(str(tmp_path / "absent"))


def test_header_trees_are_kept_like_packages(tmp_path: Path) -> None:
    cache = ArchiveCache(
        str(tmp_path / "cache"), ".tar.zst", str, lambda _, path: Path(path).touch()
    )
    archive = cache.archive_of(HeaderTree("/src", "/obj"), "6.1")
    assert [kept.path for kept in kept_archives(str(tmp_path / "cache"))] == [archive]
