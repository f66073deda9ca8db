"""A place without any kernel headers, where real clients get them from a mount of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.bpf.btf import RUNNING_KERNEL_BTF
from tests.support.machine import PLACE
from tests.support.mounting import HANGS, Outcome, command_line
from tests.support.namespace import Namespace, without_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).parent

# What tracing clients need; in here, /dev/fuse is for everybody, as udev makes it.
SETUP = """
mount -t debugfs none /sys/kernel/debug
mount -t tracefs none /sys/kernel/tracing
mount -t bpf none /sys/fs/bpf
mount -t tmpfs none /mnt
mknod -m 666 /mnt/fuse c 10 229
mount --bind /mnt/fuse /dev/fuse
umount --lazy /mnt
"""

FIRST_PROCESS_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in the kernel's proc_ns.h


class Client(NamedTuple):
    """How programs that want kernel headers are run, so that they find them."""

    prefix: list[str]
    environment: dict[str, str]

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start a client in a session of its own; both its outputs can be read."""
        return subprocess.Popen(
            [*self.prefix, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=self.environment,
        )

    def run(self, *words: str | Path) -> tuple[int, str]:
        """Run a client to its end. Returns its exit status and what it printed."""
        with self.start(*words) as client:
            try:
                output, _ = client.communicate(timeout=HANGS)
            except subprocess.TimeoutExpired:
                client.kill()
                raise
        return client.returncode, output

    def compile(self, source: Path, out: Path, *flags: str, compiler: str = "clang") -> str:
        """Compile a program for the bpf target as a makefile would. Returns the messages."""
        script = 'exec "$0" -target bpf -O2 $("$1" -m kheadersfs cflags --bpf "$KHEADERS") "${@:2}"'
        words = [compiler, sys.executable, *flags, "-c", str(source), "-o", str(out)]
        _, output = self.run("bash", "-c", script, *words)
        return output


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """A namespace in which eBPF programs can be loaded, and which has no kernel headers."""
    if not os.path.exists(RUNNING_KERNEL_BTF):
        pytest.skip("kernel: it does not describe its types")
    if os.stat("/proc/self/ns/pid").st_ino != FIRST_PROCESS_NAMESPACE:
        pytest.skip("kernel: in this container, processes have other numbers than in the kernel")
    with without_headers(SETUP) as namespace:
        yield namespace


def _bare_environment(directory: Path) -> dict[str, str]:
    """Return an environment that points no client at headers or at earlier copies of them."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BCC_", "BPFTRACE_", "KHEADERS"))
    }
    return {**variables, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def no_headers(namespace: Namespace, tmp_path: Path) -> Client:
    """Clients that find no headers."""
    return Client(namespace.command(), _bare_environment(tmp_path))


@pytest.fixture(scope="module")
def default_place(
    namespace: Namespace, reference_archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The reference archive, mounted where clients look if nobody tells them anything.

    The running kernel's types are vouched for: programs find fields by them, wherever they are.
    """
    log = tmp_path_factory.mktemp("default-place") / "log"
    options = ("--any-release", "--btf", RUNNING_KERNEL_BTF, "--log", log)
    mounted = namespace.kheadersfs("mount", *options, reference_archive)
    assert mounted == Outcome(0, f"{PLACE}: has the headers of {reference_archive} now\n", "")
    try:
        yield PLACE
    finally:
        unmounted = namespace.kheadersfs("umount")
    assert unmounted == Outcome(0, "", "")
    assert not namespace.path("/lib/modules").exists()
    assert log.read_text() == ""


@pytest.fixture
def mounted(namespace: Namespace, default_place: str, tmp_path: Path) -> Client:
    """Clients that find headers by themselves, at their default place."""
    environment = _bare_environment(tmp_path)
    return Client(namespace.command(), {**environment, "KHEADERS": default_place})


@pytest.fixture
def run(namespace: Namespace, reference_archive: Path, tmp_path: Path) -> Client:
    """Clients that ``kheadersfs run`` starts."""
    options = ("--btf", RUNNING_KERNEL_BTF, "--archive", reference_archive)
    words = command_line("run", *options, "--")
    return Client(namespace.command(*words), _bare_environment(tmp_path))


@pytest.fixture(params=["mounted", "run"])
def client(request: pytest.FixtureRequest) -> Client:
    """Clients, both ways."""
    chosen: Client = request.getfixturevalue(request.param)
    return chosen
