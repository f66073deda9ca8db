"""Debian's bcc: its own tools start, and a program of ours counts events."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import NamedTuple

import pytest

from tests.ebpf.conftest import Client
from tests.support.mounting import HANGS

# The interpreter for which the distribution packages bcc, not the one that runs the tests.
PYTHON = "/usr/bin/python3"

COUNTER = r"""
from bcc import BPF
import os

program = BPF(text=r'''
#include <linux/sched.h>
#include <net/sock.h>

BPF_HASH(calls, u32, u64);

RAW_TRACEPOINT_PROBE(sys_enter)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    u32 process = bpf_get_current_pid_tgid() >> 32;

    if (task->flags & PF_KTHREAD)
        return 0;
    calls.increment(process);
    return 0;
}
''')
for _ in range(1000):
    os.getppid()
calls = program["calls"]
print("counted", calls[calls.Key(os.getpid())].value)
"""


class Tool(NamedTuple):
    """A tool of bpfcc-tools, and what it prints once its program is loaded and attached."""

    name: str
    arguments: tuple[str, ...]
    banner: str


TOOLS = (
    Tool("syscount", (), "Tracing syscalls"),
    Tool("runqlat", (), "Tracing run queue latency"),
    Tool("runqlen", (), "Sampling run queue length"),
    Tool("runqslower", (), "LAT(us)"),
    Tool("softirqs", (), "Tracing soft irq event time"),
    Tool("hardirqs", (), "Tracing hard irq event time"),
    Tool("tcpstates", (), "OLDSTATE"),
    Tool("tcplife", (), "RADDR"),
    Tool("profile", (), "Sampling at 49 Hertz"),
    Tool("argdist", ("-C", "t:sched:sched_switch():int:args->next_pid"), "args->next_pid"),
)


@pytest.fixture(autouse=True)
def bcc() -> None:
    done = subprocess.run([PYTHON, "-c", "import bcc"], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip("not installed: python3-bpfcc")


def first_lines(client: subprocess.Popen[str], banner: str) -> str:
    """Return what the tool prints, up to *banner* or to its end."""
    assert client.stdout is not None
    printed = ""
    for line in client.stdout:
        printed += line
        if banner in line:
            break
    return printed


def interrupt(client: subprocess.Popen[str]) -> None:
    """Interrupt the tool until it ends: in a callback, Python drops the exception that it makes."""
    while client.poll() is None:
        os.killpg(client.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            client.communicate(timeout=1)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_starts(client: Client, tool: Tool) -> None:
    path = shutil.which(f"{tool.name}-bpfcc", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        pytest.skip("not installed: bpfcc-tools")
    with client.start("timeout", "--foreground", str(HANGS), path, *tool.arguments) as started:
        printed = first_lines(started, tool.banner)
        interrupt(started)
    assert tool.banner in printed


def test_a_program_on_a_raw_tracepoint_counts_events(client: Client) -> None:
    status, output = client.run(PYTHON, "-c", COUNTER)
    assert status == 0, output
    counted = int(output.rpartition("counted ")[2])
    assert 1000 <= counted < 10_000
