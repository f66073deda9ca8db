"""The kernel knows which names do not exist before a compiler looks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.advance import begin_advance, names_looked_for
from tests.support.mounting import command_line, is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.mounting import Mount

ATTEMPTS = 5
"""The kernel may forget names at any time, when memory is short or whoever drops its caches."""
FORGOTTEN = 0.1
"""The part of the names that may be asked for all the same."""

IN_A_RUN = """
import json, os, subprocess, sys
from pathlib import Path
from tests.support.mounting import command_line, wait_until

def lister_has_ended():
    parent = os.getppid()
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    stats = [Path(f"/proc/{child}/stat").read_text() for child in children]
    return any(stat.rpartition(")")[2].split()[0] == "Z" for stat in stats)

def lookups():
    status = subprocess.check_output(command_line("status", "--json", headers))
    return json.loads(status)["requests"]["lookup"]

headers = os.environ["KHEADERS"]
absent = Path(sys.argv[1]).read_text().split()
wait_until(lister_has_ended, "the lister has looked for all names")
before = lookups()
assert not any(os.path.lexists(f"{headers}/{name}") for name in absent)
print(lookups() - before)
"""


@pytest.fixture
def absent(packed_zstd: Path) -> list[bytes]:
    found = names_looked_for(packed_zstd)
    assert len(found) > 50
    return found


def lookups(mounted: Mount) -> int:
    count: int = mounted.status()["requests"]["lookup"]
    return count


def await_all_looked_for(mounted: Mount, archive: Path, names: int) -> None:
    """Have the guardian look for all *names*, and then end, as it does at the word "gone"."""
    guardian: int = mounted.status()["guardian"]
    begin_advance(mounted, archive)
    wait_until(lambda: lookups(mounted) > names / 2, "the guardian looks for names")
    with open(f"/proc/{guardian}/fd/0", "wb") as pipe:
        pipe.write(b"gone\n")
    wait_until(lambda: not is_running(guardian), "the guardian has looked for all names")


def test_a_mounts_guardian_looks_for_the_names_that_a_compiler_looks_for_in_vain(
    prepared_mount: Callable[[Path], Mount], packed_zstd: Path, absent: list[bytes]
) -> None:
    counts = []
    for _ in range(ATTEMPTS):
        mounted = prepared_mount(packed_zstd)
        mounted.mount()
        await_all_looked_for(mounted, packed_zstd, len(absent))
        before = lookups(mounted)
        assert not any(os.path.lexists(os.fsencode(mounted.path) + b"/" + name) for name in absent)
        counts.append(lookups(mounted) - before)
        mounted.unmount()
        mounted.check_nothing_left()
        if counts[-1] < FORGOTTEN * len(absent):
            return
    raise AssertionError(f"the kernel asked for more in every attempt: {counts}")


def test_a_runs_lister_looks_for_the_names_that_a_compiler_looks_for_in_vain(
    fuse: None, packed_zstd: Path, absent: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "absent").write_bytes(b"\n".join(absent))
    command = (sys.executable, "-c", IN_A_RUN, tmp_path / "absent")
    counts = []
    for _ in range(ATTEMPTS):
        done = subprocess.run(
            command_line("run", "--archive", packed_zstd, "--", *command),
            check=True,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        counts.append(int(done.stdout))
        if counts[-1] < FORGOTTEN * len(absent):
            return
    raise AssertionError(f"the kernel asked for more in every attempt: {counts}")
