"""Debian's bpftrace: a script that includes a kernel header prints what the kernel knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.ebpf.conftest import Client

# The first fields of a task are at the same offsets in all the kernels of these years, so
# they can be read with headers that are not quite those of the running kernel.
SCRIPT = """
#include <linux/sched.h>

tracepoint:syscalls:sys_enter_getppid
/pid == TARGET/
{
    $task = (struct task_struct *)curtask;
    printf("process %d flags %u stack %lx\\n", pid, $task->flags, (uint64)$task->stack);
    exit();
}
"""


def test_a_script_reads_fields_of_a_task(client: Client) -> None:
    if shutil.which("bpftrace") is None:
        pytest.skip("not installed: bpftrace")
    target = subprocess.Popen(
        ["/usr/bin/python3", "-c", "import os, time\nwhile True: os.getppid(); time.sleep(0.01)"]
    )
    with target:
        try:
            script = SCRIPT.replace("TARGET", str(target.pid))
            status, output = client.run("bpftrace", "-e", script)
            with open(f"/proc/{target.pid}/stat") as statistics:
                flags = statistics.read().rpartition(")")[2].split()[6]
        finally:
            target.kill()
    assert status == 0, output
    printed = re.search(r"process (\d+) flags (\d+) stack (\w+)", output)
    assert printed is not None, output
    assert printed[1] == str(target.pid)
    assert printed[2] == flags
    assert int(printed[3], 16) % os.sysconf("SC_PAGE_SIZE") == 0
    assert int(printed[3], 16) >> 63 == 1
