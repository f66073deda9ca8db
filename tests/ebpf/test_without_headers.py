"""The control: in the place where the other tests run, nobody else provides headers."""

from __future__ import annotations

import shutil

import pytest

from tests.ebpf.conftest import Client

INCLUDES_A_HEADER = "#include <linux/sched.h>\nBEGIN { exit() }"


def test_bpftrace_finds_none(no_headers: Client) -> None:
    if shutil.which("bpftrace") is None:
        pytest.skip("not installed: bpftrace")
    status, output = no_headers.run("bpftrace", "-e", INCLUDES_A_HEADER)
    assert status != 0
    assert "linux/sched.h" in output


def test_bcc_finds_none(no_headers: Client) -> None:
    tool = shutil.which("softirqs-bpfcc")
    if tool is None:
        pytest.skip("not installed: bpfcc-tools")
    status, output = no_headers.run(tool, "1", "1")
    assert status != 0
    assert "header" in output
