"""What a mounted archive does as a file system."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import golden
from tests.support.mounting import drop_caches, run_command, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Mounting

MANY = 20_000


WRITES: dict[str, Callable[[Path], object]] = {
    "open for writing": lambda top: os.open(top / "modes/644", os.O_WRONLY),
    "open for reading and writing": lambda top: os.open(top / "modes/644", os.O_RDWR),
    "open to append": lambda top: os.open(top / "modes/644", os.O_WRONLY | os.O_APPEND),
    "truncate at open": lambda top: os.open(top / "modes/644", os.O_WRONLY | os.O_TRUNC),
    "truncate": lambda top: os.truncate(top / "modes/644", 0),
    "create": lambda top: os.open(top / "new", os.O_CREAT | os.O_WRONLY),
    "create in a subdirectory": lambda top: os.open(top / "modes/new", os.O_CREAT | os.O_WRONLY),
    "make a directory": lambda top: os.mkdir(top / "new"),
    "make a symlink": lambda top: os.symlink("target", top / "new"),
    "make a hard link": lambda top: os.link(top / "modes/644", top / "new"),
    "make a fifo": lambda top: os.mkfifo(top / "new"),
    "make a device": lambda top: os.mknod(top / "new", 0o600 | stat.S_IFCHR, os.makedev(1, 3)),
    "remove a file": lambda top: os.unlink(top / "modes/644"),
    "remove a directory": lambda top: os.rmdir(top / "empty/within"),
    "rename": lambda top: os.rename(top / "modes/644", top / "new"),
    "change permissions": lambda top: os.chmod(top / "modes/644", 0o777),
    "change the owner": lambda top: os.chown(top / "modes/644", 1, 1),
    "change times": lambda top: os.utime(top / "modes/644"),
    "set an attribute": lambda top: os.setxattr(top / "modes/644", "user.new", b"value"),
    "set the status": lambda top: os.setxattr(top, "user.kheadersfs.status", b"{}"),
    "remove the status": lambda top: os.removexattr(top, "user.kheadersfs.status"),
}


@pytest.mark.parametrize("options", [(), ("-o", "allow_other")])
def test_only_what_somebody_may_execute_is_said_to_be_executable(
    root: None, mount: Mounting, small_archive: Path, options: tuple[str, ...]
) -> None:
    mounted = mount(small_archive, *options)
    files = [path for path in (mounted / "modes").iterdir() if path.is_file()]
    executable = {path for path in files if path.stat().st_mode & 0o111}
    assert 0 < len(executable) < len(files)
    assert {path for path in files if os.access(path, os.X_OK)} == executable
    assert all(os.access(path, os.R_OK) for path in files)
    assert os.access(mounted / "modes", os.X_OK)


def test_everything_that_would_change_it_is_refused_as_read_only(
    root: None, mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    before = golden.describe(mounted.path)
    results: dict[str, int | None] = {}
    for name, write in WRITES.items():
        try:
            write(mounted.path)
        except OSError as error:
            results[name] = error.errno
        else:
            results[name] = None
    assert results == dict.fromkeys(WRITES, errno.EROFS)
    assert golden.describe(mounted.path) == before


def test_a_file_cannot_be_mapped_for_writing_or_locked_out_of_reading(
    mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    with open(mounted / "modes/644", "rb") as stream:
        with pytest.raises(OSError):
            os.write(stream.fileno(), b"x")
        with pytest.raises(OSError):
            os.ftruncate(stream.fileno(), 0)


def test_a_name_that_is_not_there_is_asked_for_once(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    assert not (mounted / "include/linux/absent.h").exists()
    asked = mounted.status()["requests"]["lookup"]
    for _ in range(100):
        assert not (mounted / "include/linux/absent.h").exists()
    assert mounted.status()["requests"]["lookup"] == asked


def test_a_second_look_asks_the_server_nothing(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    path = mounted / "include/linux/kconfig.h"
    path.read_bytes()
    before = mounted.status()["requests"]
    path.stat()
    path.read_bytes()
    after = mounted.status()["requests"]
    # The kernel is told then that it need not ask before it opens; a close it tells of later.
    expected = {**before, "open": before["open"] + 1, "release": after["release"]}
    assert after == expected
    path.read_bytes()
    after = mounted.status()["requests"]
    assert after == {**expected, "release": after["release"]}


def test_a_path_through_a_file_is_no_directory(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    with pytest.raises(NotADirectoryError):
        os.stat(mounted / "modes/644/x")
    with pytest.raises(NotADirectoryError):
        os.listdir(mounted / "modes/644")


def test_a_name_longer_than_any_can_be_is_said_to_be_too_long(
    mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    with pytest.raises(OSError) as caught:
        os.stat(mounted / ("n" * 256))
    assert caught.value.errno in (errno.ENAMETOOLONG, errno.ENOENT)


def test_symlinks_lead_where_they_lead_in_the_tree(
    mount: Mounting, small_archive: Path, synthetic_tree: Path
) -> None:
    mounted = mount(small_archive)
    expected = (synthetic_tree / "sizes/513").read_bytes()
    assert (mounted / "links/relative").read_bytes() == expected
    assert (mounted / "links/directory/linux/kconfig.h").is_file()
    assert not (mounted / "links/dangling").exists()
    with pytest.raises(OSError) as caught:
        (mounted / "links/loop").read_bytes()
    assert caught.value.errno == errno.ELOOP


def test_inode_numbers_are_the_same_at_every_mount(mount: Mounting, small_archive: Path) -> None:
    first, second = mount(small_archive), mount(small_archive, "--prefetch")
    # Looked at in another order, by another way.
    backwards = {
        name: os.lstat(os.path.join(os.fsencode(second.path), name)).st_ino
        for name in sorted(golden.describe(first.path), reverse=True)
    }
    forwards = {
        name: os.lstat(os.path.join(os.fsencode(first.path), name)).st_ino
        for name in sorted(backwards)
    }
    assert backwards == forwards
    assert forwards[b"."] == 1


def test_a_large_directory_is_listed_completely_and_once(
    cold: None, mount: Mounting, tmp_path: Path
) -> None:
    names = {f"{'header' * (number % 7)}{number}.h" for number in range(MANY)}
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in names:
        (tree / name).touch()
    archive = tmp_path / "large.tar"
    subprocess.run(["tar", "-cf", archive, "-C", tree, "."], check=True)
    mounted = mount(archive)
    for _ in range(2):
        listed = os.listdir(mounted.path)
        assert len(listed) == MANY
        assert set(listed) == names
        drop_caches()
    # In the middle of a listing the kernel may ask from any position.
    with os.scandir(mounted.path) as entries:
        some = [next(entries).name for _ in range(MANY // 2)]
        drop_caches()
        assert {*some, *(entry.name for entry in entries)} == names


def test_a_listing_brings_the_attributes_along(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    with os.scandir(mounted / "sizes") as entries:
        listed = list(entries)
    asked = mounted.status()["requests"]
    assert sum(entry.stat(follow_symlinks=False).st_size for entry in listed) > 0
    after = mounted.status()["requests"]
    assert (after["lookup"], after["getattr"]) == (asked["lookup"], asked["getattr"])


def test_statfs_tells_how_much_there_is(
    mount: Mounting, small_archive: Path, synthetic_tree: Path
) -> None:
    figures = os.statvfs(mount(small_archive).path)
    inodes = {}
    for name, entry in golden.describe(synthetic_tree).items():
        inodes[entry.same_as] = entry.size if entry.kind == "-" else 0
        assert entry.same_as <= name
    assert figures.f_files == len(inodes)
    assert figures.f_blocks == -(-sum(inodes.values()) // figures.f_frsize)
    assert (figures.f_bfree, figures.f_bavail, figures.f_ffree, figures.f_favail) == (0, 0, 0, 0)
    assert figures.f_namemax == 255
    wanted = os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV
    assert figures.f_flag & wanted == wanted


def test_the_status_attribute_is_what_the_status_command_prints(
    mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive)
    (mounted / "modes/644").read_bytes()
    # What was decoded is let go when nobody asks for a moment, which may be between the two.
    wait_until(lambda: mounted.status()["held_decoded"] == 0, "all is let go", interval=1.0)
    names = ("status", "server", "kernel")
    assert os.listxattr(mounted.path) == [f"user.kheadersfs.{name}" for name in names]
    assert os.listxattr(mounted / "modes") == []
    attribute = json.loads(os.getxattr(mounted.path, "user.kheadersfs.status"))
    printed = json.loads(run_command("status", "--json", mounted.path).output)
    changing = dict.fromkeys(("uptime", "resident", "requests"))
    assert {**attribute, **changing} == {**printed, **changing}
    assert attribute["archive"] == str(small_archive)
    server = os.getxattr(mounted.path, "user.kheadersfs.server").split()
    assert [int(word) for word in server] == [attribute["pid"], attribute["started_at"]]
    assert attribute["archive_size"] == small_archive.stat().st_size
    assert attribute["compression"] == "xz"
    assert attribute["mountpoint"] == str(mounted.path)
    with pytest.raises(OSError) as caught:
        os.getxattr(mounted.path, "user.kheadersfs.other")
    assert caught.value.errno == errno.ENODATA


def test_an_archive_named_from_here_is_shown_by_a_name_that_holds_everywhere(
    mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(Path(os.path.relpath(small_archive)))
    assert mounted.status()["archive"] == str(small_archive)


def test_everything_belongs_to_root_unless_said_otherwise(
    mount: Mounting, small_archive: Path
) -> None:
    plain, owned = mount(small_archive), mount(small_archive, "-o", "uid=1234,gid=5678")
    for mounted, owner in ((plain, (0, 0)), (owned, (1234, 5678))):
        for name in (".", "modes/644", "links/dangling", "empty/within"):
            status = os.lstat(mounted / name)
            assert (status.st_uid, status.st_gid) == owner


def test_the_mount_is_shown_with_archive_and_type(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    with open("/proc/self/mounts") as mounts:
        [line] = [line for line in mounts if line.split()[1] == str(mounted.path)]
    source, _, kind, options, *_ = line.split()
    assert (source, kind) == (str(small_archive), "fuse.kheadersfs")
    assert {"ro", "nosuid", "nodev"} <= set(options.split(","))
