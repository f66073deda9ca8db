"""What tools/demo looks at before it installs or downloads anything: whether it can mount."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS

if TYPE_CHECKING:
    from pathlib import Path

ABSENT = "mount -t tmpfs none /dev"
CLOSED = "mount -t tmpfs -o nodev none /dev && touch /dev/null && mknod /dev/fuse c 10 229"

CHROOT = """
cd "$1" && mkdir dev proc usr repository && ln -s usr/bin usr/lib usr/lib64 .
for place in dev proc usr; do mount --rbind "/$place" "$place"; done
mount --bind "$2" repository
exec chroot . bash -c '. /repository/tools/setup && require_fuse && echo it may'
"""
"""A root directory that is no mount of its own, as debootstrap makes it."""


def test_root_may_mount_in_a_chroot(root: None, tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", CHROOT, "sh", tmp_path, REPOSITORY],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert (done.stdout, done.stderr) == ("it may\n", "")


@pytest.mark.parametrize(
    ("hide", "said"),
    [
        (ABSENT, "demo: there is no /dev/fuse: load it with modprobe fuse; "),
        (CLOSED, "demo: root may not open /dev/fuse: its mode should be 0666, "),
    ],
    ids=["absent", "closed"],
)
def test_a_device_that_cannot_be_opened_is_the_first_that_is_said(
    root: None, hide: str, said: str
) -> None:
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{hide} && exec "$0"', REPOSITORY / "tools/demo"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
