"""What vmlinux.h is made of: which files have types, and which headers get them."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from kheadersfs.bpf.btf import RUNNING_KERNEL_BTF, open_btf
from kheadersfs.bpf.vmlinux import Unavailable, VmlinuxHeader, prepare
from kheadersfs.errors import KheadersfsError, UsageError
from tests.support.libraries import has_libbpf

requires_libbpf = pytest.mark.skipif(
    not has_libbpf(), reason="not installed: libbpf.so.1, of the package libbpf1"
)
requires_btf = pytest.mark.skipif(
    not os.path.exists(RUNNING_KERNEL_BTF), reason="kernel: it does not describe its types"
)


def prepared(path: Path) -> VmlinuxHeader:
    header = prepare(open_btf(str(path)))
    assert isinstance(header, VmlinuxHeader)
    return header


@requires_libbpf
@requires_btf
def test_only_headers_of_the_running_kernel_get_its_types() -> None:
    header = prepare()
    assert isinstance(header, VmlinuxHeader)
    assert header.why_not_for(os.uname().release) == ""
    for other in ("2.6.32", None):
        why = header.why_not_for(other)
        assert str(other or "unnamed") in why
        assert os.uname().release in why
        assert "--btf" in why


@requires_libbpf
def test_types_that_somebody_named_are_for_any_headers(tmp_path: Path) -> None:
    (tmp_path / "btf").write_bytes(b"\x9f\xeb\x01\x00")
    header = prepared(tmp_path / "btf")
    assert header.why_not_for("2.6.32") == header.why_not_for(None) == ""


def test_a_missing_library_is_named() -> None:
    header = prepare(library="libbpf.so.0.0")
    assert isinstance(header, Unavailable)
    assert "libbpf.so.0.0" in header.reason


@pytest.mark.parametrize("content", [b"", b"\x9f", b"#!/bin/sh\n", b"\x7fEL"])
def test_a_file_of_another_kind_is_refused_when_it_is_opened(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "no-btf"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="describes no types") as caught:
        open_btf(str(path))
    assert str(path) in str(caught.value)


def test_what_is_no_file_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in (".", "fifo"):
        with pytest.raises(UsageError, match="describes no types"):
            open_btf(str(tmp_path / name))
    with pytest.raises(KheadersfsError, match=r"absent: cannot be opened: No such file"):
        open_btf(str(tmp_path / "absent"))


# A file header without sections, one whose sections lie beyond the end, one of 32 bits.
ELF = {
    "no more than the magic": b"\x7fELF",
    "no sections": b"\x7fELF\x02\x01\x01" + bytes(57),
    "sections beyond the end": b"\x7fELF\x02\x01\x01"
    + bytes(9)
    + struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 1 << 40, 0, 64, 0, 0, 64, 9, 8),
    "neither 32 nor 64 bits": b"\x7fELF\x03\x01\x01" + bytes(57),
    "no byte order": b"\x7fELF\x02\x00\x01" + bytes(57),
}


@requires_libbpf
@pytest.mark.parametrize("content", ELF.values(), ids=ELF)
def test_an_elf_file_without_types_is_named_when_it_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "object"
    path.write_bytes(content)
    with pytest.raises(KheadersfsError, match=r"has no section \.BTF") as caught:
        prepared(path).text()
    assert str(path) in str(caught.value)


@requires_libbpf
@pytest.mark.parametrize("content", [b"\x9f\xeb\x01\x00", b"\x9f\xeb\x01\x00" + b"\xff" * 4096])
def test_damaged_types_are_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(KheadersfsError, match="types cannot be read") as caught:
        prepared(path).text()
    assert str(path) in str(caught.value)


@requires_libbpf
@requires_btf
@pytest.mark.parametrize("form", ["elf64-x86-64", "elf32-i386", "elf64-big", "elf32-big"])
def test_types_are_found_in_a_section_of_an_elf_file(tmp_path: Path, form: str) -> None:
    if shutil.which("objcopy") is None:
        pytest.skip("not installed: objcopy, of the package binutils")
    raw, wrapped = tmp_path / "raw", tmp_path / "vmlinux"
    shutil.copyfile(RUNNING_KERNEL_BTF, raw)
    words = ["objcopy", "-I", "binary", "-O", form, "--rename-section", ".data=.BTF"]
    subprocess.run([*words, raw, wrapped], check=True)
    assert open_btf(str(wrapped)).read() == raw.read_bytes()
    assert prepared(wrapped).text().startswith(b"#ifndef __VMLINUX_H__\n")


@requires_libbpf
@requires_btf
def test_the_header_can_be_made_again_and_is_the_same(tmp_path: Path) -> None:
    header = prepare()
    assert isinstance(header, VmlinuxHeader)
    assert header.text() == header.text()
