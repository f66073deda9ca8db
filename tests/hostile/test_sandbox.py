"""What code can do inside the restrictions that a server and the reading commands put on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Mounting
    from tests.support.mounting import Mount

pytestmark = pytest.mark.usefixtures("kernel_restricts")

LIBC = "import ctypes, errno, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
ATTEMPTS = {
    # Should one of them succeed, it must not do harm: hence the absent files.
    "open a file to read": "os.open('/etc/passwd', os.O_RDONLY)",
    "open a library": "os.open(os.__file__, os.O_RDONLY)",
    "open a file to write": "os.open('/tmp/kheadersfs-escaped', os.O_WRONLY | os.O_CREAT)",
    "open beside an open directory": "os.open('passwd', os.O_RDONLY, dir_fd=etc)",
    "list a directory": "os.listdir('/')",
    "list an open directory": "os.listdir(etc)",
    "look at a file": "os.stat('/etc/passwd')",
    "change a file's mode": "os.chmod('/kheadersfs-absent', 0o777)",
    "rename": "os.rename('/kheadersfs-absent', '/kheadersfs-new')",
    "remove": "os.unlink('/kheadersfs-absent')",
    "make a directory": "os.mkdir('/tmp/kheadersfs-escaped')",
    "make a symlink": "os.symlink('/', '/tmp/kheadersfs-escaped')",
    "change directory": "os.chdir('/')",
    "execute": "os.execv('/bin/true', ['true'])",
    "execute in a child": "os.posix_spawn('/bin/true', ['true'], {})",
    "fork": "os.fork()",
    "make an Internet socket": "check(libc.socket(2, 1, 0))",
    "make a Unix socket": "check(libc.socket(1, 1, 0))",
    "send to a socket by its path": "open_socket.sendto(b'x', open_socket_name)",
    "make a netlink socket": "check(libc.socket(16, 3, 0))",
    "make a pair of sockets": "check(libc.socketpair(1, 1, 0, (ctypes.c_int * 2)()))",
    "trace its parent": "check(libc.ptrace(16, os.getppid(), 0, 0))",
    "be traced": "check(libc.ptrace(0, 0, 0, 0))",
    "read another process": "check(libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0))",
    "signal its parent": "os.kill(os.getppid(), 0)",
    "signal everybody": "os.kill(-1, 0)",
    "become root": "os.setresuid(0, 0, 0)",
    "make a namespace": "check(libc.unshare(0x10000000))",
    "mount": "check(libc.mount(b'none', b'/kheadersfs-absent', b'tmpfs', 0, None))",
    "unmount": "check(libc.umount2(b'/kheadersfs-absent', 0))",
    "load a BPF program": "check(libc.syscall(321, 5, None, 0))",
    "use io_uring": "check(libc.syscall(425, 1, None))",
    "add a key": "check(libc.syscall(248, b'user', b'k', b'x', 1, -4))",
    "type into its terminal": "fcntl.ioctl(0, 0x5412, b'x')",
    "make a process by clone": "check(libc.syscall(56, 17, None, None, None, None))",
    "make a file in memory": "os.memfd_create('code')",
    "raise a limit": "check(libc.setrlimit(7, (ctypes.c_ulong * 2)(1 << 20, 1 << 20)))",
    "be dumpable": "check(libc.prctl(4, 1, 0, 0, 0))",
    "take the filter off": "check(libc.prctl(22, 0, 0, 0, 0))",
}


def run_inside(setup: str, attempts: dict[str, str], stdin: int = subprocess.DEVNULL) -> set[str]:
    """Run each of *attempts* after *setup* in one process. Return those that did not fail with
    EPERM or EACCES; what must not even begin in a thread is tried in one too.
    """
    script = (
        f"import fcntl, json, socket, threading\n{LIBC}"
        "def check(result):\n"
        "    if result == -1:\n"
        "        raise OSError(ctypes.get_errno(), '')\n"
        "etc = os.open('/etc', os.O_RDONLY)\n"
        "open_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "open_socket.bind('')\n"
        "open_socket_name = open_socket.getsockname()\n"
        f"{setup}\n"
        "succeeded = []\n"
        "def attempt():\n"
        f"    for name, code in {attempts!r}.items():\n"
        "        try:\n"
        "            exec(code)\n"
        "            succeeded.append(name)\n"
        "        except OSError as error:\n"
        "            if error.errno not in (errno.EPERM, errno.EACCES):\n"
        "                succeeded.append(f'{name}: {error}')\n"
        "attempt()\n"
        "thread = threading.Thread(target=attempt)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print(json.dumps(succeeded))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        cwd=REPOSITORY,
        stdin=stdin,
        capture_output=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


RESTRICT = "from kheadersfs.sandbox.restrictions import restrict; restrict(0)"


def test_restricted_code_can_reach_nothing() -> None:
    assert run_inside(RESTRICT, ATTEMPTS) == set()
    assert not os.path.exists("/tmp/kheadersfs-escaped")


def test_each_attempt_is_made_right() -> None:
    """Without restrictions those that harm nobody succeed, so their failure says something."""
    harmless = (
        *("open a file to read", "open a library", "open beside an open directory"),
        *("list a directory", "list an open directory", "look at a file", "change directory"),
        *("make an Internet socket", "make a Unix socket", "make a netlink socket"),
        "send to a socket by its path",
        *("make a pair of sockets", "signal its parent", "make a file in memory"),
        *("execute in a child", "be dumpable"),
    )
    assert run_inside("", {name: ATTEMPTS[name] for name in harmless}) == set(harmless)


FILES = [name for name in ATTEMPTS if "file" in name or "open" in name or "list a d" in name]


def test_landlock_alone_keeps_files_away() -> None:
    """So a kernel without seccomp, or a call that its filter forgot, is no way out."""
    setup = (
        "from kheadersfs.sandbox import landlock\n"
        "libc.prctl(38, 1, 0, 0, 0)\n"
        "landlock.restrict_thread()"
    )
    names = {name for name in FILES if name not in ("look at a file", "change a file's mode")}
    names -= {"list an open directory", "make a file in memory"}
    assert run_inside(setup, {name: ATTEMPTS[name] for name in names}) == set()


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
    assert kinds <= {"pipe", "anon_inode"}


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
