"""The Python interface: a mount for the time of a block."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import kheadersfs
from kheadersfs.mount import servers
from tests.support.mounting import is_running, wait_until


def test_the_python_interface_mounts_for_a_while(fuse: None, small_archive: Path) -> None:
    with kheadersfs.mounted(small_archive) as path:
        assert Path(path, "modes/644").read_bytes() == b"mode\n"
        server = servers.read_status(path)["pid"]
    assert not os.path.exists(path)
    assert not is_running(server)


def test_the_python_interface_unmounts_when_its_block_fails(
    fuse: None, small_archive: Path
) -> None:
    with pytest.raises(ZeroDivisionError), kheadersfs.mounted(small_archive) as path:
        _ = 1 / 0
    assert not os.path.exists(path)


def test_the_python_interface_detaches_a_mount_that_is_still_in_use(
    fuse: None, small_archive: Path
) -> None:
    with kheadersfs.mounted(small_archive) as path:
        stream = open(os.path.join(path, "sizes/513"), "rb")  # noqa: SIM115 - outlives the mount
        server = servers.read_status(path)["pid"]
    with stream:
        assert not os.path.exists(path)
        assert len(stream.read()) == 513
    wait_until(lambda: not is_running(server), "the server ended")


def test_the_python_interface_raises_what_the_command_reports(fuse: None, tmp_path: Path) -> None:
    with (
        pytest.raises(kheadersfs.KheadersfsError, match="cannot open the archive") as caught,
        kheadersfs.mounted(tmp_path / "absent"),
    ):
        pass
    assert caught.value.exit_status == 11


def test_the_python_interface_mounts_what_is_called_like_an_option(
    fuse: None, small_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(small_archive, tmp_path / "--foreground")
    monkeypatch.chdir(tmp_path)
    with kheadersfs.mounted("--foreground") as mountpoint:
        assert Path(mountpoint, "modes/644").read_text() == "mode\n"
