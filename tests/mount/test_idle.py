"""What a mount that nobody uses lets go of, and that it is there again for who needs it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from tests.support import golden
from tests.support.mounting import Mount, drop_caches, wait_until
from tests.support.synthetic import altered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEPT = 0.25
"""Seconds, where people have 30."""
HEADERS = ("include/linux/kernel.h", "include/uapi/linux/bpf.h")


def await_release(mounted: Mount, what: str) -> None:
    """Wait until the server of *mounted* holds nothing of *what*; it is idle between two looks."""
    wait_until(lambda: mounted.status()[what] == 0, f"{what} is 0", interval=4 * KEPT)


def test_what_is_decoded_in_no_time_is_let_go_before_what_takes_a_pass(
    prepared_mount: Callable[[Path], Mount],
    reference_archive: Path,
    reference_description: golden.Description,
) -> None:
    mounted = prepared_mount(reference_archive)
    mounted.kept = 1_000_000
    mounted.mount()
    expected = reference_description[os.fsencode(HEADERS[0])].digest
    assert golden.digest_of(mounted / HEADERS[0]) == expected
    await_release(mounted, "held_decoded")
    assert mounted.status()["held_compressed"] > 1 << 20


def test_what_one_pass_read_is_let_go_when_nobody_uses_it_and_read_again_unless_changed(
    cold: None,
    prepared_mount: Callable[[Path], Mount],
    reference_archive: Path,
    reference_description: golden.Description,
    tmp_path: Path,
) -> None:
    changing = tmp_path / "changing.tar.xz"
    changing.write_bytes(reference_archive.read_bytes())
    kept, changed, prefetched = map(
        prepared_mount, (reference_archive, changing, reference_archive)
    )
    for mounted, options in ((kept, ()), (changed, ()), (prefetched, ("--prefetch",))):
        mounted.kept = KEPT
        mounted.mount(*options)
    expected = {header: reference_description[os.fsencode(header)].digest for header in HEADERS}
    for mounted in (kept, changed, prefetched):
        assert golden.digest_of(mounted / HEADERS[0]) == expected[HEADERS[0]]
        await_release(mounted, "held_decoded")
    await_release(kept, "held_compressed")
    await_release(changed, "held_compressed")
    assert prefetched.status()["held_compressed"] > 1 << 20

    content = changing.read_bytes()
    with open(changing, "r+b") as archive:
        archive.write(altered(content, len(content) // 2))
    drop_caches()
    for header in HEADERS:
        assert golden.digest_of(kept / header) == expected[header]
        assert golden.digest_of(prefetched / header) == expected[header]
    changed.accept("ERROR: .*changing.tar.xz.*damaged")
    for header in HEADERS:
        with pytest.raises(OSError) as caught:
            golden.digest_of(changed / header)
        assert caught.value.errno == errno.EIO
    assert os.listdir(changed / "include/uapi/linux")
