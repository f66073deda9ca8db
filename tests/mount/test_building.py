"""Real eBPF programs, built through a mount: the same bytes as from extracted headers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import command_line, drop_caches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Mounting

BUILD = REPOSITORY / "tools/sample/build"


def build(headers: Path, work: Path) -> bytes:
    """Return the object that the sample program becomes with *headers*."""
    program = work / "program.o"
    done = subprocess.run(
        [BUILD, headers, program], check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return program.read_bytes()


@pytest.fixture
def pin() -> Iterator[Path]:
    """A name for a program in the kernel, removed after the test."""
    path = Path(f"/sys/fs/bpf/kheadersfs-test-{os.getpid()}")
    yield path
    path.unlink(missing_ok=True)


def test_an_object_built_through_the_mount_equals_one_from_extracted_headers(
    ebpf_toolchain: None,
    mount: Mounting,
    reference_archive: Path,
    reference_tree: Path,
    tmp_path: Path,
) -> None:
    expected = build(reference_tree, tmp_path)
    mounted = mount(reference_archive)
    assert build(mounted.path, tmp_path) == expected
    # Whatever else runs on the machine may drop caches in between; not three times in a row.
    for _ in range(3):
        requests = mounted.status()["requests"]
        # The second time the kernel has everything, and need not ask before it opens either.
        assert build(mounted.path, tmp_path) == expected
        again = mounted.status()["requests"]
        if again == {**requests, "open": again["open"], "release": again["release"]}:
            break
    else:
        raise AssertionError(f"the kernel asked for more than opens: {requests}, then {again}")
    assert mounted.status()["open_files"] is None


def test_an_object_built_with_cold_caches_is_the_same(
    cold: None,
    ebpf_toolchain: None,
    mount: Mounting,
    reference_archive: Path,
    reference_tree: Path,
    tmp_path: Path,
) -> None:
    expected = build(reference_tree, tmp_path)
    mounted = mount(reference_archive)
    assert build(mounted.path, tmp_path) == expected
    drop_caches()
    assert build(mounted.path, tmp_path) == expected


def test_the_kernel_loads_what_was_built_through_the_mount(
    root: None,
    ebpf_toolchain: None,
    mount: Mounting,
    reference_archive: Path,
    tmp_path: Path,
    pin: Path,
) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("not installed: bpftool")
    build(mount(reference_archive).path, tmp_path)
    loaded = subprocess.run(
        ["bpftool", "prog", "load", tmp_path / "program.o", pin],
        check=False,
        capture_output=True,
        text=True,
    )
    if "Operation not permitted" in loaded.stderr:
        pytest.skip("kernel: eBPF programs may not be loaded here")
    assert loaded.returncode == 0, loaded.stderr
    shown = subprocess.run(
        ["bpftool", "prog", "show", "pinned", pin], check=True, capture_output=True, text=True
    )
    assert "raw_tracepoint" in shown.stdout


def test_a_build_in_a_private_mount_is_the_same_too(
    ebpf_toolchain: None,
    fuse: None,
    reference_archive: Path,
    reference_tree: Path,
    tmp_path: Path,
) -> None:
    expected = build(reference_tree, tmp_path)
    program = tmp_path / "private.o"
    script = f'"{BUILD}" "$KHEADERS" "{program}"'
    subprocess.run(
        command_line("run", "--archive", reference_archive, "--", "bash", "-c", script),
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert program.read_bytes() == expected
