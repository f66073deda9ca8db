"""What code can do inside the restrictions that a server and the reading commands put on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attempts import ATTEMPTS, NEEDS_ROOT, in_a_process, try_inside
from tests.conftest import REPOSITORY
from tests.support.mounting import run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Mounting
    from tests.support.mounting import Mount

pytestmark = pytest.mark.usefixtures("kernel_restricts")

RESTRICT = "from kheadersfs.sandbox.restrictions import restrict; restrict(0)"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory where whom the restrictions make of root might write."""
    with TemporaryDirectory() as directory:
        yield Path(directory)


def test_restricted_code_can_reach_nothing(place: Path) -> None:
    assert try_inside(RESTRICT, ATTEMPTS, place) == set()


@pytest.mark.parametrize("name", ATTEMPTS)
def test_each_attempt_succeeds_without_restrictions(name: str, place: Path) -> None:
    """So that its failure inside says something."""
    attempt = ATTEMPTS[name]
    if attempt.needs == NEEDS_ROOT and os.geteuid() != 0:
        pytest.skip(attempt.needs)
    done = in_a_process(f"{attempt.code}\nos._exit(0)", place)
    if attempt.needs and done.returncode:
        pytest.skip(f"{attempt.needs}: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def test_landlock_alone_keeps_files_away(place: Path) -> None:
    """So a kernel without seccomp, or a call that its filter forgot, is no way out."""
    setup = "from kheadersfs.sandbox import landlock\nlandlock.restrict_thread()"
    names = (
        *("open a file to read", "open a library", "open a file to write"),
        *("open beside an open directory", "list a directory", "rename", "remove"),
        *("make a directory", "make a symlink", "execute"),
    )
    assert try_inside(setup, names, place) == set()


def test_what_serving_needs_still_works(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"content")
    script = (
        "import os, sys, threading, time, lzma, zlib\n"
        f"archive = os.open({str(tmp_path / 'archive')!r}, os.O_RDONLY)\n"
        f"log = open({str(tmp_path / 'log')!r}, 'w')\n"
        f"{RESTRICT}\n"
        "assert os.pread(archive, 3, 4) == b'ent'\n"
        "print('logged', file=log, flush=True)\n"
        "found = []\n"
        "thread = threading.Thread(target=lambda: found.append(lzma.compress(bytes(1 << 20))))\n"
        "thread.start()\n"
        "thread.join()\n"
        "assert lzma.decompress(found[0]) == bytes(1 << 20)\n"
        "time.sleep(0)\n"
        "print(time.localtime().tm_year > 2000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=REPOSITORY, capture_output=True
    )
    assert done.stdout == b"True\n"
    assert (tmp_path / "log").read_text() == "logged\n"


def test_memory_is_bounded() -> None:
    script = f"{RESTRICT}\ntry:\n    bytes(2 << 30)\nexcept MemoryError:\n    print('bounded')\n"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=REPOSITORY, capture_output=True
    )
    assert done.stdout == b"bounded\n"


def read_status(path: str) -> dict[str, list[str]]:
    with open(path) as status:
        lines = (line.partition(":") for line in status)
        return {name: value.split() for name, _, value in lines}


def test_every_thread_of_a_server_is_restricted(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    reported = mounted.status()
    tasks = list(Path(f"/proc/{mounted.pid}/task").iterdir())
    assert len(tasks) > 1, "no decoder has run"
    for task in tasks:
        status = read_status(f"{task}/status")
        assert status["NoNewPrivs"] == ["1"]
        assert status["Seccomp"] == ["2"]
        if os.geteuid() == 0:
            assert status["Uid"] == status["Gid"] == ["65534"] * 4
            assert status["Groups"] == []
        assert {status[f"Cap{name}"][0] for name in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    limits = Path(f"/proc/{mounted.pid}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    assert "Max open files            64                   64" in limits
    assert reported["restrictions_missing"] == []
    assert reported["restrictions"].keys() == {
        *("memory", "descriptors", "threads", "user", "capabilities"),
        *("core dumps", "new privileges", "landlock", "seccomp"),
    }


def test_a_server_holds_nothing_but_what_it_serves(mount: Mounting, small_archive: Path) -> None:
    mounted = mount(small_archive)
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    directory = Path(f"/proc/{mounted.pid}/fd")
    held = {os.readlink(path) for path in directory.iterdir()}
    kinds = {name.partition(":")[0] for name in held if not name.startswith("/")}
    not_everywhere = {"/sys/kernel/btf/vmlinux", "/dev/cpu_dma_latency"}
    assert {name for name in held if name.startswith("/")} - not_everywhere == {
        *("/dev/null", "/dev/fuse", str(small_archive), str(mounted.log)),
        *("/proc/loadavg", f"/proc/{mounted.pid}/statm"),
    }
    assert kinds <= {"pipe", "anon_inode", "socket"}
    # The relay's two ends are each other's, and so lead nowhere else.
    sockets = {name[len("socket:[") : -1] for name in held if name.startswith("socket:")}
    local = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    assert len(sockets) == 2
    assert sockets <= local


REPORT = (
    "import sys\n"
    "from kheadersfs.sandbox import landlock, restrictions, seccomp\n"
    "{change}\n"
    "given_up = restrictions.restrict(0)\n"
    "print(*given_up.missing, sep='\\n')\n"
    "assert {subject!r} not in given_up.in_force\n"
)


@pytest.mark.parametrize(
    ("subject", "change"),
    [
        ("landlock", "landlock._CREATE_RULESET = 10_000"),
        ("seccomp", "seccomp._MODE_FILTER = 99"),
        ("seccomp", "seccomp._MACHINES.clear()"),
        ("capabilities", "restrictions._CAPABILITY_VERSION_3 = 1"),
    ],
)
def test_what_the_kernel_lacks_is_reported(subject: str, change: str) -> None:
    """Nothing is skipped in silence: here the kernel is asked for what no kernel has."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(subject=subject, change=change)],
        check=True,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(f"{subject}: not restricted: ")
    assert done.stdout.count("\n") == 1


WITHOUT_SECCOMP = (
    "import sys\n"
    "from kheadersfs.cli import main\n"
    "from kheadersfs.sandbox import seccomp\n"
    "seccomp._MACHINES.clear()\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def test_status_shows_what_is_in_force_and_what_is_not(
    prepared_mount: Callable[[Path], Mount], small_archive: Path
) -> None:
    """Of a server on a machine whose system calls the filter does not know."""
    mounted = prepared_mount(small_archive)
    words = ["mount", "--log", *map(str, (mounted.log, small_archive, mounted.path))]
    subprocess.run([sys.executable, "-c", WITHOUT_SECCOMP, *words], check=True, cwd=REPOSITORY)
    mounted.pid = mounted.status()["pid"]
    assert (mounted / "modes/644").read_bytes() == b"mode\n"
    lines = run_command("status", mounted.path).output.splitlines()
    [in_force] = [line for line in lines if line.startswith("  restricted ")]
    assert "landlock (no access by path" in in_force
    assert "core dumps (none, no tracing)" in in_force
    assert "seccomp" not in in_force
    [missing] = [line for line in lines if line.startswith("  missing ")]
    assert "seccomp: not restricted: the system calls of" in missing
    assert any("WARNING: seccomp: not restricted: " in line for line in mounted.messages())
    mounted.unmount()
