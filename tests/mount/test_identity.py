"""What is remembered of a file from one mount to the next, by programs and as file handles."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import WholeReader
from tests.support.handles import handle_of, open_handle
from tests.support.mounting import drop_caches, run_command

if TYPE_CHECKING:
    from tests.conftest import Mounting, Prepare


CONFIGURATION = "include/generated/autoconf.h"
MTIME = 1_700_000_000
"""Seconds since 1970."""


class Pair(NamedTuple):
    """Two archives whose files have the same names, sizes and times, and other content."""

    first: Path
    second: Path


def make_archive(directory: Path, frequency: int) -> Path:
    tree = directory / f"tree-{frequency}"
    (tree / CONFIGURATION).parent.mkdir(parents=True)
    (tree / CONFIGURATION).write_text(f"#define CONFIG_HZ {frequency}\n")
    (tree / "include/linux").mkdir()
    (tree / "include/linux/kconfig.h").write_text("#include <generated/autoconf.h>\n")
    archive = directory / f"{frequency}.tar.xz"
    subprocess.run(
        ["tar", "-cJf", archive, "--sort=name", f"--mtime=@{MTIME}", "-C", tree, "."], check=True
    )
    return archive


@pytest.fixture(scope="session", params=["one pass", "with an index"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """See Pair."""
    directory = tmp_path_factory.mktemp("pair")
    archives = [make_archive(directory, frequency) for frequency in (250, 100)]
    if request.param == "one pass":
        return Pair(*archives)
    packed = [archive.with_name(f"packed-{archive.name}") for archive in archives]
    for archive, out in zip(archives, packed, strict=True):
        assert run_command("repack", archive, out).status == 0
        assert WholeReader(open_archive(str(out))).load().indexed
    return Pair(*packed)


class Place:
    """A directory at which one archive after the other is mounted."""

    def __init__(self, prepare: Prepare, archive: Path) -> None:
        self._mount = prepare(archive)
        self.path = self._mount.path
        self._mount.mount()

    def change(self, archive: Path) -> None:
        """Mount *archive* instead."""
        self._mount.unmount()
        self._mount.archive = archive
        self._mount.mount()

    def close(self) -> None:
        """Unmount, and check that nothing is left."""
        self._mount.unmount()
        self._mount.check_nothing_left()


def remembered(path: Path) -> tuple[int, ...]:
    """Return what programs compare to tell whether *path* is still the same file."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def test_two_archives_at_one_place_are_told_apart_and_one_is_known_again(
    prepared_mount: Prepare, pair: Pair
) -> None:
    place = Place(prepared_mount, pair.first)
    known = remembered(place.path / CONFIGURATION)
    place.change(pair.second)
    other = remembered(place.path / CONFIGURATION)
    assert other[:3] == known[:3]
    assert other != known
    place.change(pair.first)
    assert remembered(place.path / CONFIGURATION) == known
    place.close()


def test_the_time_of_change_is_in_the_second_that_the_archive_says(
    mount: Mounting, pair: Pair
) -> None:
    mounted = mount(pair.first)
    for name in (".", "include", CONFIGURATION):
        assert os.stat(mounted / name).st_ctime_ns // 10**9 == int(os.stat(mounted / name).st_mtime)


def test_ccache_with_its_inode_cache_does_not_take_one_archive_for_another(
    prepared_mount: Prepare, pair: Pair, tmp_path: Path
) -> None:
    if missing := [tool for tool in ("ccache", "gcc") if shutil.which(tool) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    program, compiled = tmp_path / "program.c", tmp_path / "program.o"
    program.write_text("#include <linux/kconfig.h>\nint frequency = CONFIG_HZ;\n")
    settings = {"CCACHE_DIR": str(tmp_path / "cache"), "CCACHE_INODECACHE": "1"}

    def compile_at(place: Path) -> bytes:
        subprocess.run(
            ["ccache", "gcc", f"-I{place}/include", "-c", program, "-o", compiled],
            check=True,
            env={**os.environ, **settings},
        )
        return compiled.read_bytes()

    place = Place(prepared_mount, pair.first)
    known = compile_at(place.path)
    assert compile_at(place.path) == known
    place.change(pair.second)
    assert compile_at(place.path) != known
    place.change(pair.first)
    assert compile_at(place.path) == known
    place.close()


@pytest.mark.parametrize("name", [CONFIGURATION, "include/generated", "."])
def test_a_file_handle_is_good_after_the_archive_was_mounted_anew(
    cold: None, prepared_mount: Prepare, pair: Pair, name: str
) -> None:
    place = Place(prepared_mount, pair.first)
    handle = handle_of(place.path / name)
    number = os.stat(place.path / name).st_ino
    place.change(pair.first)
    for _ in range(2):
        descriptor = open_handle(place.path, handle)
        assert os.fstat(descriptor).st_ino == number
        if name == CONFIGURATION:
            assert os.read(descriptor, 100) == b"#define CONFIG_HZ 250\n"
        else:  # a directory is connected to those above it, and so has a path
            assert Path(os.readlink(f"/proc/self/fd/{descriptor}")) == place.path / name
        os.close(descriptor)
        drop_caches()
    place.close()


@pytest.mark.parametrize("name", [CONFIGURATION, "include/generated"])
def test_a_file_handle_of_another_archive_is_stale(
    cold: None, prepared_mount: Prepare, pair: Pair, name: str
) -> None:
    place = Place(prepared_mount, pair.first)
    handle = handle_of(place.path / name)
    place.change(pair.second)
    for known in (False, True):
        if known:
            os.stat(place.path / name)
        with pytest.raises(OSError) as caught:
            open_handle(place.path, handle)
        assert caught.value.errno == errno.ESTALE
    place.close()


def test_a_file_handle_with_a_number_that_no_file_has_is_stale(
    root: None, mount: Mounting, pair: Pair
) -> None:
    mounted = mount(pair.first)
    handle = handle_of(mounted / CONFIGURATION)
    handle.content[7] = 1  # of the inode number, which the kernel puts first
    handle.content[3] = 1
    with pytest.raises(OSError) as caught:
        open_handle(mounted.path, handle)
    assert caught.value.errno == errno.ESTALE
