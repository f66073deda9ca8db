"""vmlinux.h is what bpftool prints of the same types."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kheadersfs.bpf.vmlinux import RUNNING_KERNEL_BTF, Unavailable, vmlinux_header

# libbpf 1.1 began to say so of enumerations of one byte; bpftool may have an older copy.
ONE_BYTE = b" __attribute__((mode(byte)))"


@pytest.fixture(scope="module")
def printed_by_bpftool() -> bytes:
    if not os.path.exists(RUNNING_KERNEL_BTF):
        pytest.skip("kernel: it does not describe its types")
    if shutil.which("bpftool") is None:
        pytest.skip("not installed: bpftool")
    words = ["bpftool", "btf", "dump", "file", RUNNING_KERNEL_BTF, "format", "c"]
    return subprocess.run(words, check=True, capture_output=True).stdout


def test_it_is_what_bpftool_prints(printed_by_bpftool: bytes) -> None:
    start = time.monotonic()
    header = vmlinux_header(os.uname().release)
    seconds = time.monotonic() - start
    if isinstance(header, Unavailable):
        pytest.skip(header.reason)
    assert header.replace(ONE_BYTE, b"") == printed_by_bpftool.replace(ONE_BYTE, b"")
    assert seconds < 2


def test_types_in_a_file_belong_to_whatever_headers_are_wanted(
    printed_by_bpftool: bytes, tmp_path: Path
) -> None:
    copy = tmp_path / "btf"
    shutil.copyfile(RUNNING_KERNEL_BTF, copy)
    header = vmlinux_header("2.6.32", str(copy))
    if isinstance(header, Unavailable):
        pytest.skip(header.reason)
    assert header == vmlinux_header(os.uname().release)
    assert header.startswith(b"#ifndef __VMLINUX_H__\n")
