"""What the kernel asks a server for, counted: little in a first build, nothing in another."""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
from bisect import bisect_right
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive import opening
from kheadersfs.archive.readers import IndexReader
from kheadersfs.fuse.advance import OPENS_OF_A_BUILD
from kheadersfs.fuse.waiting import QUIET
from tests.conftest import REPOSITORY
from tests.support import golden
from tests.support.advance import await_advance, headers_in_order, opens_without_asking
from tests.support.mounting import (
    Mount,
    await_end,
    command_line,
    drop_caches,
    is_mounted,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Mounting

BUILD = REPOSITORY / "tools/sample/build"
FIRST_BUILD, SECOND_BUILD = 450, 10
"""Some 270 of the kernel's own archive, and 410 of Debian's headers, packed anew with comments."""
ATTEMPTS = 5
"""Builds in a row; whatever else runs on the machine may drop caches during one of them."""


def build(headers: Path, work: Path) -> None:
    subprocess.run(
        [BUILD, headers, work / "program.o"],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def requests(mounted: Mount) -> int:
    return sum(mounted.status()["requests"].values())


def read_headers(mounted: Mount, count: int) -> None:
    """Open so many headers that a build must be at work, and read them."""
    for header in sorted((mounted / "include/linux").glob("*.h"))[:count]:
        assert header.read_bytes()


def test_a_build_asks_for_little_once_all_is_given_and_the_next_one_for_nothing(
    ebpf_toolchain: None, prepared_mount: Callable[[Path], Mount], packed_zstd: Path, tmp_path: Path
) -> None:
    counts = []
    for _ in range(ATTEMPTS):
        mounted = prepared_mount(packed_zstd)
        mounted.mount()
        await_advance(mounted, packed_zstd)
        before = requests(mounted)
        build(mounted.path, tmp_path)
        first = requests(mounted)
        build(mounted.path, tmp_path)
        second = requests(mounted)
        mounted.unmount()
        mounted.check_nothing_left()
        counts.append((first - before, second - first))
        if counts[-1][0] < FIRST_BUILD and counts[-1][1] < SECOND_BUILD:
            return
    raise AssertionError(f"the kernel asked for more in every attempt: {counts}")


def test_a_server_keeps_no_block_whose_pages_the_kernel_has(
    mount: Mounting, packed_zstd: Path
) -> None:
    with closing(opening.open_archive(os.fsencode(packed_zstd))) as archive:
        starts = IndexReader(archive).load().blocks.starts
    cold = headers_in_order(packed_zstd)[-OPENS_OF_A_BUILD:]
    numbers = {bisect_right(starts, start) - 1 for start, _ in cold}
    kept = sum(starts[number + 1] - starts[number] for number in numbers)
    mounted = mount(packed_zstd)
    await_advance(mounted, packed_zstd)
    # Each look is a request, and a quiet moment has none.
    wait_until(
        lambda: mounted.status()["held_decoded"] == kept,
        "only cold blocks were kept",
        interval=2 * QUIET,
    )


def test_without_an_index_the_second_build_asks_to_open_one_file(
    ebpf_toolchain: None, mount: Mounting, reference_archive: Path, tmp_path: Path
) -> None:
    mounted = mount(reference_archive)
    build(mounted.path, tmp_path)
    counts = []
    for _ in range(ATTEMPTS):
        before = requests(mounted)
        build(mounted.path, tmp_path)
        counts.append(requests(mounted) - before)
        if counts[-1] < SECOND_BUILD:
            break
    else:
        raise AssertionError(f"the kernel asked for more in every build: {counts}")
    assert opens_without_asking(mounted)


def test_without_an_index_who_looks_for_nothing_in_vain_is_no_build(
    mount: Mounting, reference_archive: Path
) -> None:
    mounted = mount(reference_archive)
    read_headers(mounted, OPENS_OF_A_BUILD + 12)
    assert not opens_without_asking(mounted)
    assert not (mounted / "include/linux/nosuch.h").exists()
    assert (mounted / "include/uapi/linux/bpf.h").read_bytes()
    assert opens_without_asking(mounted)


def test_all_is_as_tar_extracts_it_when_nobody_asks_to_open(
    cold: None,
    mount: Mounting,
    packed_zstd: Path,
    reference_description: golden.Description,
) -> None:
    mounted = mount(packed_zstd)
    await_advance(mounted, packed_zstd)
    for _ in range(2):  # the second time the kernel has some listings
        assert golden.describe(mounted.path) == reference_description
    drop_caches()
    assert golden.describe(mounted.path) == reference_description


def test_much_can_be_read_at_once_past_the_cache(
    mount: Mounting, packed_zstd: Path, reference_tree: Path
) -> None:
    mounted = mount(packed_zstd)
    await_advance(mounted, packed_zstd)
    paths = (path for path in reference_tree.rglob("*") if path.is_file())
    largest = max(paths, key=lambda path: path.stat().st_size)
    assert largest.stat().st_size > 256 << 10
    name = str(largest.relative_to(reference_tree))
    descriptor = os.open(mounted / name, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, 4 << 20) as buffer:
            length = os.readv(descriptor, [buffer])
            assert buffer[:length] == largest.read_bytes()
    finally:
        os.close(descriptor)


def test_who_counts_opens_is_told_of_each(mount: Mounting, packed_zstd: Path) -> None:
    mounted = mount(packed_zstd, "--idle-timeout", "600")
    for _ in range(3):
        read_headers(mounted, 20)
    with (mounted / "include/linux/kernel.h").open("rb"):
        wait_until(lambda: mounted.status()["open_files"] == 1, "all others were closed")
    assert mounted.status()["requests"]["open"] >= 61
    wait_until(lambda: mounted.status()["open_files"] == 0, "every file was closed")


def test_what_was_opened_without_asking_stays_readable_when_the_server_has_to_leave(
    cold: None, prepared_mount: Callable[[Path], Mount], packed_zstd: Path, reference_tree: Path
) -> None:
    mounted = prepared_mount(packed_zstd)
    mounted.mount()
    name = "include/linux/fs.h"
    with (mounted / name).open("rb") as asked:
        await_advance(mounted, packed_zstd)
        with (mounted / name).open("rb") as unasked:
            os.kill(mounted.pid, signal.SIGTERM)
            wait_until(lambda: not is_mounted(mounted), "the mount was detached")
            drop_caches()
            expected = (reference_tree / name).read_bytes()
            assert asked.read() == unasked.read() == expected
    await_end(mounted)


def test_a_server_that_is_killed_after_a_build_leaves_no_dead_mount(
    prepared_mount: Callable[[Path], Mount], packed_zstd: Path
) -> None:
    mounted = prepared_mount(packed_zstd)
    mounted.mount()
    await_advance(mounted, packed_zstd)
    read_headers(mounted, 9)  # by now the kernel opens files and directories without asking
    os.kill(mounted.pid, signal.SIGKILL)
    wait_until(lambda: not is_mounted(mounted), "the mount went away")
    await_end(mounted)


def test_nobody_sees_that_a_guardian_lists_directories(
    prepared_mount: Callable[[Path], Mount], packed_zstd: Path
) -> None:
    """Its listing keeps a mount in use for a moment, and has hot headers alone."""
    for more in (0, 1, 2, 4, 8):
        mounted = prepared_mount(packed_zstd)
        mounted.mount()
        names = os.listdir(mounted / "include/linux")
        read_headers(mounted, OPENS_OF_A_BUILD + more)
        assert os.listdir(mounted / "include/linux") == names
        mounted.unmount()
        mounted.check_nothing_left()


CHROOT = 'mount --rbind / "$0" && exec chroot "$0" "$@"'


@pytest.mark.parametrize("in_chroot", [False, True], ids=["", "in a chroot"])
def test_a_run_has_the_pages_of_what_is_hot_before_its_command_reads_any(
    root: None, fuse: None, packed_zstd: Path, tmp_path: Path, in_chroot: bool
) -> None:
    code = """
import os, pathlib
from tests.support.mounting import wait_until
from tests.support.pages import is_cached
header = pathlib.Path(os.environ["KHEADERS"]) / "include/linux/sched.h"
wait_until(lambda: is_cached(header), "its pages were stored")
"""
    script = (
        f'"{sys.executable}" -c \'{code}\' && {" ".join(command_line("status"))} --json "$KHEADERS"'
    )
    around = ["unshare", "--mount", "sh", "-c", CHROOT, str(tmp_path)] if in_chroot else []
    run = command_line("run", "--archive", packed_zstd, "--", "sh", "-c", script)
    done = subprocess.run(
        [*around, *run],
        check=True,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    status = json.loads(done.stdout)
    assert status["requests"]["read"] == 0
    assert status["open_files"] is None


def test_a_run_opens_without_asking_too(
    fuse: None, ebpf_toolchain: None, packed_zstd: Path, reference_tree: Path, tmp_path: Path
) -> None:
    script = f"""
    set -e
    for turn in 1 2 3; do "{BUILD}" "$KHEADERS" "{tmp_path}/program.o"; done
    "{BUILD}" "{reference_tree}" "{tmp_path}/expected.o"
    cmp "{tmp_path}/program.o" "{tmp_path}/expected.o"
    {" ".join(command_line("status"))} "$KHEADERS"
    """
    done = subprocess.run(
        command_line("run", "--archive", packed_zstd, "--", "bash", "-c", script),
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert "open files not known" in done.stdout
