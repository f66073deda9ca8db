"""vmlinux.h is what bpftool prints of the same types."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from kheadersfs.bpf.btf import RUNNING_KERNEL_BTF
from kheadersfs.bpf.vmlinux import Unavailable, VmlinuxHeader, prepare

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


@pytest.fixture(scope="module")
def header() -> VmlinuxHeader:
    prepared = prepare()
    if isinstance(prepared, Unavailable):
        pytest.skip(f"not installed: {prepared.reason}")
    return prepared


def test_it_is_what_bpftool_prints(printed_by_bpftool: bytes, header: VmlinuxHeader) -> None:
    text = header.text()
    assert text.replace(ONE_BYTE, b"") == printed_by_bpftool.replace(ONE_BYTE, b"")
