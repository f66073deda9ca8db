"""Mounts that somebody uses while they are to be unmounted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import (
    Outcome,
    one_line,
    run_command,
)

if TYPE_CHECKING:
    from tests.conftest import Prepare


from tests.support.mounting import await_end, is_mounted


def test_umount_of_a_mount_in_use_is_refused_and_lazy_does_it(
    prepared_mount: Prepare, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    with open(mount / "sizes/513", "rb") as stream:
        refused = run_command("umount", mount.path)
        assert refused.status == 10
        assert f"{mount.path}: is in use by process {os.getpid()} (" in one_line(refused)
        assert is_mounted(mount)
        assert run_command("umount", "--lazy", mount.path) == Outcome(0, "", "")
        assert not is_mounted(mount)
        assert len(stream.read()) == 513
    await_end(mount)


USES = {
    "that is in it": 'cd "$1" && echo ready && exec sleep 60',
    "that has a file of it open": 'exec <"$1/sizes/513" && echo ready && exec sleep 60',
    "that has mapped it": 'exec "$2" -c "$3" "$1/sizes/513"',
}
MAP = """
import mmap, sys, time
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_process_is_named(prepared_mount: Prepare, small_archive: Path, use: str) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    words = ["sh", "-c", use, "sh", str(mount.path), sys.executable, MAP]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            refused = run_command("umount", mount.path)
        finally:
            process.kill()
    assert refused.status == 10
    # With the program's directory, or without.
    named = rf": is in use by process {process.pid} \(\S*(sleep|python)[^ ]* "
    assert re.search(named, one_line(refused))
    mount.unmount()
    mount.check_nothing_left()


def test_what_is_mounted_below_is_named(
    root: None, prepared_mount: Prepare, small_archive: Path
) -> None:
    mount = prepared_mount(small_archive)
    mount.mount()
    below = mount / "empty"
    subprocess.run(["mount", "-t", "tmpfs", "none", below], check=True)
    try:
        refused = run_command("umount", mount.path)
    finally:
        subprocess.run(["umount", below], check=True)
    assert f": is in use by what is mounted at {below}; " in one_line(refused)
    mount.unmount()
    mount.check_nothing_left()
