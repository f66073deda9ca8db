"""Mounts in the kernel's list: what it says of ours, and those of others."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import MountpointError
from kheadersfs.mount import direct, fusermount, table
from tests.support.mounting import Outcome, is_running, one_line, run_command, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from tests.conftest import Mounting
    from tests.support.mounting import Mount


def test_umount_names_the_other_place_where_the_same_headers_are_mounted(
    root: None, prepared_mount: Callable[[Path], Mount], small_archive: Path, tmp_path: Path
) -> None:
    place = tmp_path / "other place"
    place.mkdir()
    ours = prepared_mount(small_archive)
    ours.mount()
    subprocess.run(["mount", "--bind", ours.path, place], check=True)
    try:
        outcome = run_command("umount", ours.path)
    finally:
        removed = run_command("umount", place)
    assert outcome.status == 1
    assert f"still mounted at {place}; " in one_line(outcome)
    assert removed == Outcome(0, "", "")
    wait_until(lambda: not is_running(ours.pid), "the server ended")


def test_a_file_system_whose_type_is_no_text_is_one_of_others(
    root: None, mount: Mounting, small_archive: Path, tmp_path: Path
) -> None:
    """What follows "fuse." is up to who mounts; here nobody answers for it."""
    place = tmp_path / "odd"
    place.mkdir()
    ours = mount(small_archive)
    device = direct.open_device()
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        assert libc.mount(b"odd", bytes(place), b"fuse.\xff", 0, options) == 0
        assert table.find_mount(str(place)) == os.fsdecode(b"fuse.\xff")
        assert str(place) not in table.list_mounts()
        assert str(ours.path) in run_command("status").output
        refused = run_command("umount", place)
        assert refused.status == 10
        assert "a fuse." in refused.errors
    finally:
        libc.umount2(bytes(place), 2)
        os.close(device)


@pytest.mark.parametrize(("options", "refusal"), [("ro", errno.ENOEXEC), ("noexec", errno.EACCES)])
def test_no_program_is_started_where_none_may_be(
    options: str, refusal: int, mount: Mounting, small_archive: Path
) -> None:
    mounted = mount(small_archive, "-o", options)
    with pytest.raises(OSError) as caught:
        subprocess.run([mounted / "modes/755"], check=False)  # is executable, and no program
    assert caught.value.errno == refusal


@pytest.mark.parametrize("way", [direct, fusermount], ids=["mount(2)", "fusermount3"])
def test_what_another_has_unmounted_meanwhile_is_not_mounted_any_more(
    way: ModuleType, root: None, fuse: None, tmp_path: Path
) -> None:
    with pytest.raises(MountpointError, match=r"nothing is mounted there any more$"):
        way.unmount(str(tmp_path), detach=False)
