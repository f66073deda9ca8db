"""tools/demo where nothing can be mounted: it says so before it installs or downloads anything."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS

ABSENT = "mount -t tmpfs none /dev"
CLOSED = "mount -t tmpfs -o nodev none /dev && touch /dev/null && mknod /dev/fuse c 10 229"


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
