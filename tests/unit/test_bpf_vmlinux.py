from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from kheadersfs.bpf.vmlinux import Unavailable, vmlinux_header


def _has_libbpf() -> bool:
    try:
        ctypes.CDLL("libbpf.so.1")
    except OSError:
        return False
    return True


requires_libbpf = pytest.mark.skipif(not _has_libbpf(), reason="libbpf.so.1 is not installed")


def test_headers_of_another_kernel_get_no_types_of_the_running_one() -> None:
    result = vmlinux_header("2.6.32")
    assert isinstance(result, Unavailable)
    assert "2.6.32" in result.reason
    assert os.uname().release in result.reason


def test_headers_of_an_unnamed_kernel_get_no_types_of_the_running_one() -> None:
    assert isinstance(vmlinux_header(None), Unavailable)


def test_a_missing_library_is_named() -> None:
    result = vmlinux_header(os.uname().release, library="libbpf.so.0.0")
    assert isinstance(result, Unavailable)
    assert "libbpf.so.0.0" in result.reason


@requires_libbpf
@pytest.mark.parametrize(
    "content", [b"", b"\x9f\xeb\x01\x00", b"\x7fELF and no more", b"#!/bin/sh\n"]
)
def test_a_file_without_types_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no-btf"
    path.write_bytes(content)
    result = vmlinux_header("6.1", str(path))
    assert isinstance(result, Unavailable)
    assert str(path) in result.reason


@requires_libbpf
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = vmlinux_header("6.1", str(tmp_path / "absent"))
    assert isinstance(result, Unavailable)
    assert f"No such file or directory: '{tmp_path}/absent'" in result.reason
