"""clang and bpftool: programs are built, loaded, attached, give events, and are removed."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kheadersfs.bpf.toolchain import cflags
from tests.ebpf.conftest import PROGRAMS, Client
from tests.support.mounting import wait_until
from tests.support.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_BUILD = PROGRAMS.parents[1] / "tools/sample/build"
CALLS = 500
NOBODY = 65534

STRUCTURES = """
#include <linux/sched.h>
#include <linux/fs.h>
#include <linux/netdevice.h>
#include <net/sock.h>
#define SIZE_OF(name) char size_of_##name[sizeof(struct name)];
SIZE_OF(task_struct) SIZE_OF(mm_struct) SIZE_OF(vm_area_struct) SIZE_OF(page)
SIZE_OF(file) SIZE_OF(inode) SIZE_OF(super_block) SIZE_OF(signal_struct)
SIZE_OF(sock) SIZE_OF(sk_buff) SIZE_OF(net_device) SIZE_OF(thread_struct)
"""

# What a program may expect to work, and what it must be told that it cannot have.
USES_CURRENT = """
#include <linux/sched.h>
int reads_current(void *context) { return current->pid; }
"""
USES_PER_CPU = """
#include <linux/percpu.h>
DECLARE_PER_CPU(unsigned long, counter);
int reads_counter(void *context) { return this_cpu_read(counter); }
"""
USES_ATOMIC_BIT = """
#include <linux/bitops.h>
int tests_bit(unsigned long *word) { return test_and_set_bit(3, word); }
"""
USES_BYTE_ORDER = """
#include <linux/in.h>
#include <linux/kernel.h>
int swaps(unsigned short *port) { barrier(); return ntohs(READ_ONCE(*port)); }
"""

# A newer one crashed where an older one did not: that one, and all that are installed.
VERSIONS = [f"clang-{version}" for version in range(14, 30)]
COMPILERS = sorted({"clang", "clang-19", *filter(shutil.which, VERSIONS)})

# Each brings in others; together they are what most programs begin with.
COMMONLY_USED = (
    *("linux/sched.h", "linux/fs.h", "linux/mm.h", "linux/blkdev.h", "linux/cgroup.h"),
    *("linux/skbuff.h", "linux/netdevice.h", "net/sock.h", "net/tcp.h", "linux/bpf.h"),
    *("linux/perf_event.h", "linux/ptrace.h", "linux/percpu.h", "linux/uaccess.h"),
    *("linux/static_call.h", "linux/jump_label.h", "linux/nsproxy.h", "linux/kvm_host.h"),
)


@pytest.fixture(autouse=True)
def tools() -> None:
    if missing := [tool for tool in ("clang", "llc", "opt", "bpftool") if not shutil.which(tool)]:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture
def libbpf() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        pytest.skip(f"not installed: {error}")


def bpftool(namespace: Namespace, *words: str | Path) -> Any:
    return json.loads(namespace.run("bpftool", "--json", *words) or "[]")


def await_removal(namespace: Namespace, kind: str, number: int) -> None:
    """Return when no program or link, as *kind* says, has the *number* any more."""
    wait_until(
        lambda: number not in [other["id"] for other in bpftool(namespace, kind, "show")],
        f"the kernel let go of {kind} {number}",
    )


def flags_of_this_process() -> int:
    with open("/proc/self/stat") as statistics:
        return int(statistics.read().rpartition(")")[2].split()[6])


def count_own_calls(libbpf: ctypes.CDLL, namespace: Namespace, pinned: str) -> None:
    """Attach the pinned program to the entry of system calls while this process makes some."""
    path = os.fsencode(namespace.path(pinned))
    program = libbpf.bpf_obj_get(path)
    assert program >= 0, os.strerror(ctypes.get_errno())
    attachment = libbpf.bpf_raw_tracepoint_open(b"sys_enter", program)
    os.close(program)
    assert attachment >= 0, os.strerror(ctypes.get_errno())
    for _ in range(CALLS):
        os.getppid()
    os.close(attachment)


def test_a_program_with_kernel_headers_gives_events(
    client: Client, namespace: Namespace, libbpf: ctypes.CDLL, tmp_path: Path
) -> None:
    built = tmp_path / "count_calls.o"
    assert client.compile(PROGRAMS / "count_calls.bpf.c", built, "-g", "-Wall", "-Werror") == ""
    pins = f"/sys/fs/bpf/kheadersfs-{os.getpid()}"
    namespace.run("mkdir", pins)
    try:
        bpftool(namespace, "prog", "load", built, f"{pins}/program", "pinmaps", pins)
        program = bpftool(namespace, "prog", "show", "pinned", f"{pins}/program")
        count_own_calls(libbpf, namespace, f"{pins}/program")
        calls = bpftool(namespace, "map", "dump", "pinned", f"{pins}/calls_by_process")
    finally:
        namespace.run("rm", "-r", pins)
    own = [entry["formatted"]["value"] for entry in calls if read_key(entry) == os.getpid()]
    assert len(own) == 1
    assert CALLS <= own[0]["count"] < 2 * CALLS
    assert own[0]["flags"] == flags_of_this_process()
    await_removal(namespace, "prog", program["id"])


def read_key(entry: dict[str, Any]) -> int:
    key: int = entry["formatted"]["key"]
    return key


# As a makefile for CO-RE does it, and with all that headers need besides.
WAYS = {
    "with the directory alone": ("-Wall", "-Werror", "-I$KHEADERS/include"),
    "with all flags": ("-Wall", "-Werror", "$(KHEADERSFS cflags --bpf $KHEADERS)"),
}


@pytest.mark.parametrize("flags", WAYS.values(), ids=WAYS)
def test_a_program_with_types_and_macros_of_the_mount_gives_events(
    client: Client, namespace: Namespace, libbpf: ctypes.CDLL, tmp_path: Path, flags: tuple[str]
) -> None:
    built = tmp_path / "list_tasks.o"
    words = ("clang -target bpf -O2 -g", *flags, "-c", PROGRAMS / "list_tasks.bpf.c", "-o", built)
    script = " ".join(map(str, words)).replace("KHEADERSFS", f"{sys.executable} -m kheadersfs")
    assert client.run("sh", "-c", script) == (0, "")
    pinned = f"/sys/fs/bpf/kheadersfs-{os.getpid()}"
    namespace.run("bpftool", "iter", "pin", built, pinned)
    try:
        link = bpftool(namespace, "link", "show", "pinned", pinned)
        lines = namespace.path(pinned).read_text().splitlines()
    finally:
        namespace.run("rm", pinned)
    tasks = {line.split(" ", 2)[0]: line.split(" ", 2)[1:] for line in lines}
    own = Path("/proc/self/comm").read_text().strip()
    assert tasks[str(os.getpid())] == [str(seconds_until_this_process_started()), own]
    assert tasks["2"] == ["0", "kthreadd"]
    await_removal(namespace, "link", link["id"])


def seconds_until_this_process_started() -> int:
    """Return how many seconds after the machine this process started."""
    with open("/proc/self/stat") as statistics:
        ticks = int(statistics.read().rpartition(")")[2].split()[19])
    return ticks // os.sysconf("SC_CLK_TCK")


@pytest.fixture
def user_directory() -> Iterator[Path]:
    """A directory for everybody, below one that an ordinary user can pass through."""
    directory = Path(f"/dev/shm/kheadersfs-{os.getpid()}")
    directory.mkdir()
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


def test_an_ordinary_user_builds(
    client: Client, namespace: Namespace, user_directory: Path
) -> None:
    """The interpreter may lie below a closed directory, so this user may pass through any.

    That does not hold inside ``run``, so the build is one that needs no interpreter: clang
    for the machine, then llc.
    """
    enter = namespace.command()
    switch = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    keep = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search", "--"]
    user = Client([*enter, *switch, *keep, *client.prefix[len(enter) :]], client.environment)
    built = user_directory / "headers.o"
    status, output = user.run("sh", "-c", 'exec "$0" "$KHEADERS" "$1"', SAMPLE_BUILD, built)
    assert status == 0, output
    assert built.stat().st_uid == NOBODY


def sizes_in(assembly: Path) -> dict[str, int]:
    """Return the sizes of the arrays that STRUCTURES defines, by structure."""
    found = re.findall(r"\.size\s+size_of_(\w+), (\d+)", assembly.read_text())
    return {name: int(size) for name, size in found}


def test_structures_have_the_same_size_for_bpf_as_for_the_machine(
    reference_tree: Path, tmp_path: Path
) -> None:
    source = tmp_path / "structures.c"
    source.write_text(STRUCTURES)
    sizes = []
    for target, flags in (
        ("bpf", cflags(str(reference_tree), bpf=True)),
        (f"{os.uname().machine}-linux-gnu", [*cflags(str(reference_tree)), "-w"]),
    ):
        assembly = tmp_path / f"{target}.s"
        words = ["clang", "-target", target, *flags, "-S", str(source), "-o", str(assembly)]
        subprocess.run(words, check=True)
        sizes.append(sizes_in(assembly))
    assert sizes[0] == sizes[1]
    assert len(sizes[0]) == 12


def compile_text(
    tree: Path, directory: Path, text: str, *flags: str, compiler: str = "clang"
) -> subprocess.CompletedProcess[str]:
    source = directory / "program.c"
    source.write_text(text)
    words = [compiler, "-target", "bpf", "-O2", *cflags(str(tree), bpf=True)]
    return subprocess.run(
        [*words, *flags, "-c", source, "-o", directory / "program.o"],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(params=["reference_tree", "newer_tree"])
def tree(request: pytest.FixtureRequest) -> Path:
    """The headers of a kernel, each of two series."""
    chosen: Path = request.getfixturevalue(request.param)
    return chosen


@pytest.mark.parametrize("text", [USES_CURRENT, USES_PER_CPU, USES_ATOMIC_BIT])
def test_a_program_that_reaches_inline_assembly_is_told(
    tree: Path, tmp_path: Path, text: str
) -> None:
    done = compile_text(tree, tmp_path, text)
    assert done.returncode != 0
    assert "inline assembly of the kernel cannot run in a BPF program" in done.stderr
    assert str(tree) in done.stderr


@pytest.mark.parametrize("header", COMMONLY_USED)
def test_a_header_can_be_included(tree: Path, tmp_path: Path, header: str) -> None:
    text = f"#include <{header}>\nint program(int *context) {{ return *context; }}\n"
    done = compile_text(tree, tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_functions_declared_by_a_type_can_be_described(
    tree: Path, tmp_path: Path, compiler: str
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"not installed: {compiler}")
    text = "#include <net/tcp.h>\nint program(int *context) { return *context; }\n"
    done = compile_text(tree, tmp_path, text, "-g", compiler=compiler)
    assert (done.returncode, done.stderr) == (0, "")


def test_helpers_without_assembly_work(tree: Path, tmp_path: Path) -> None:
    done = compile_text(tree, tmp_path, USES_BYTE_ORDER)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_compiler_is_named(run: Client) -> None:
    status, output = run.run("clang-that-is-not-installed")
    assert status == 127
    assert "clang-that-is-not-installed" in output
