from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kheadersfs.errors import MountpointError
from kheadersfs.mount.mountpoint import default_mountpoint, has_headers
from kheadersfs.mount.preparing import prepare, restore

RELEASE = "6.1.0-37-amd64"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return Path(default_mountpoint(RELEASE, str(tmp_path)))


def tree_of(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def test_the_default_is_where_bcc_and_bpftrace_look() -> None:
    assert default_mountpoint(RELEASE) == f"/lib/modules/{RELEASE}/build"


@pytest.mark.parametrize("existing", ["", "lib", "lib/modules", f"lib/modules/{RELEASE}"])
def test_exactly_what_was_created_is_removed(tmp_path: Path, build: Path, existing: str) -> None:
    (tmp_path / existing).mkdir(parents=True, exist_ok=True)
    before = tree_of(tmp_path)
    prepare(str(build))
    assert build.is_dir()
    removed = restore(str(build))
    assert tree_of(tmp_path) == before
    assert removed[0] == str(build)


def test_a_directory_that_was_there_stays(tmp_path: Path, build: Path) -> None:
    build.mkdir(parents=True)
    prepare(str(build))
    assert list(build.iterdir()) == []
    assert restore(str(build)) == []
    assert build.is_dir()


def test_a_mountpoint_left_by_a_server_that_was_killed_is_used_again_and_then_removed(
    tmp_path: Path, build: Path
) -> None:
    prepare(str(build))
    prepare(str(build))
    restore(str(build))
    assert tree_of(tmp_path) == set()


def test_a_directory_that_got_other_content_meanwhile_stays(tmp_path: Path, build: Path) -> None:
    prepare(str(build))
    (build.parent / "modules.dep").touch()
    assert restore(str(build)) == [str(build)]
    assert (build.parent / "modules.dep").exists()


@pytest.mark.parametrize("record", ["", "-1", "many", "1\n1", "9" * 40])
def test_a_record_that_is_not_ours_removes_nothing_that_is_in_use(
    tmp_path: Path, build: Path, record: str
) -> None:
    build.mkdir(parents=True)
    (build / ".kheadersfs-created").write_text(record)
    (tmp_path / "lib/in-use").touch()
    restore(str(build))
    assert (tmp_path / "lib/in-use").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_a_record_of_another_user_is_not_believed(build: Path) -> None:
    prepare(str(build))
    os.chown(build / ".kheadersfs-created", 1234, 1234)
    assert restore(str(build)) == []
    assert build.is_dir()


def test_a_record_that_is_a_link_is_not_followed(tmp_path: Path, build: Path) -> None:
    build.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("3\n")
    (build / ".kheadersfs-created").symlink_to(tmp_path / "elsewhere")
    assert restore(str(build)) == []
    assert build.is_dir()


def test_a_complete_tree_is_recognised(build: Path) -> None:
    (build / "include/linux").mkdir(parents=True)
    assert not has_headers(str(build))
    (build / "include/linux/kconfig.h").touch()
    assert has_headers(str(build))


def test_an_incomplete_tree_is_not_mounted_over(build: Path) -> None:
    (build / "include").mkdir(parents=True)
    with pytest.raises(MountpointError, match="neither empty nor a complete header tree"):
        prepare(str(build))


def test_a_dangling_link_is_named_with_its_target(build: Path) -> None:
    build.parent.mkdir(parents=True)
    build.symlink_to(f"/usr/src/linux-headers-{RELEASE}-gone")
    with pytest.raises(MountpointError, match=f"mkdir -p /usr/src/linux-headers-{RELEASE}-gone"):
        prepare(str(build))
    assert build.is_symlink()


def test_a_file_is_no_mountpoint(build: Path) -> None:
    build.parent.mkdir(parents=True)
    build.touch()
    with pytest.raises(MountpointError, match="is not a directory"):
        prepare(str(build))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a read-only file system")
def test_read_only_modules_leave_nothing_behind(tmp_path: Path) -> None:
    """In a mount namespace of its own, so that nothing stays mounted whatever happens."""
    program = f"""
from kheadersfs.mount.preparing import prepare
from kheadersfs.errors import MountpointError
try:
    prepare({str(tmp_path)!r} + "/modules/{RELEASE}/build")
except MountpointError as error:
    print(error)
"""
    (tmp_path / "modules").mkdir()
    result = subprocess.run(
        [
            *("unshare", "--mount", "--propagation=slave", "sh", "-ec"),
            f'mount -t tmpfs -o ro none {tmp_path}/modules; exec "$0" -c "$1"',
            *(sys.executable, program),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Read-only file system" in result.stdout
    assert "kheadersfs run" in result.stdout
