"""A place without any kernel headers, where real clients get them from a mount of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.bpf.mountpoint import default_mountpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS = Path(__file__).parent
PATIENCE = 60.0
"""Seconds after which a client hangs."""

# Hides what headers the machine may have, and shows what tracing clients need; in here,
# /dev/fuse is for everybody, as udev makes it. It ends, and the namespace with all its
# mounts with it, when the test's end of the pipe is closed.
HOLDER = """
for headers in /lib/modules /usr/src; do
    [ ! -d $headers ] || mount -t tmpfs none $headers
done
[ ! -e /sys/kernel/kheaders.tar.xz ] || mount --bind /dev/null /sys/kernel/kheaders.tar.xz
mount -t debugfs none /sys/kernel/debug
mount -t tracefs none /sys/kernel/tracing
mount -t bpf none /sys/fs/bpf
mount -t tmpfs none /mnt
mknod -m 666 /mnt/fuse c 10 229
mount --bind /mnt/fuse /dev/fuse
umount --lazy /mnt
echo ready
read end
"""

FIRST_PROCESS_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in the kernel's proc_ns.h


class Namespace(NamedTuple):
    """A mount namespace, by the process that holds it."""

    pid: int

    def command(self, *words: str | Path) -> list[str]:
        """Return the words that run a command in the namespace."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--", *map(str, words)]

    def run(self, *words: str | Path) -> str:
        """Run a command in the namespace, which must succeed. Returns what it printed."""
        done = subprocess.run(
            self.command(*words),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def path(self, path: str) -> Path:
        """Return where a path of the namespace is found from outside of it."""
        return Path(f"/proc/{self.pid}/root{path}")


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
                output, _ = client.communicate(timeout=PATIENCE)
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


def _skip_without(programs: Sequence[str]) -> None:
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """A namespace in which eBPF programs can be loaded, and which has no kernel headers."""
    if os.geteuid() != 0:
        pytest.skip("only root may load eBPF programs")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("kernel: there is no /dev/fuse")
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("kernel: it does not describe its types")
    if os.stat("/proc/self/ns/pid").st_ino != FIRST_PROCESS_NAMESPACE:
        pytest.skip("kernel: in this container, processes have other numbers than in the kernel")
    _skip_without(("nsenter", "unshare"))
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            _, errors = holder.communicate()
            pytest.skip(f"kernel: no tracing from here: {errors.strip()}")
        yield Namespace(holder.pid)
        holder.stdin.close()


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
    """The reference archive, mounted where clients look if nobody tells them anything."""
    place = default_mountpoint(os.uname().release)
    module = "kheadersfs.bpf.mountpoint"
    log = tmp_path_factory.mktemp("default-place") / "log"
    options = ["--log", str(log), "-o", "nonempty,allow_other"]
    kheadersfs = [sys.executable, "-m", "kheadersfs"]
    namespace.run(sys.executable, "-c", f"from {module} import prepare; prepare({place!r})")
    try:
        namespace.run(*kheadersfs, "mount", *options, reference_archive, place)
        yield place
        namespace.run(*kheadersfs, "umount", place)
    finally:
        namespace.run(sys.executable, "-c", f"from {module} import restore; restore({place!r})")
    assert not namespace.path(place).exists()
    assert log.read_text() == ""


@pytest.fixture
def mounted(namespace: Namespace, default_place: str, tmp_path: Path) -> Client:
    """Clients that find headers by themselves, at their default place."""
    environment = _bare_environment(tmp_path)
    return Client(namespace.command(), {**environment, "KHEADERS": default_place})


@pytest.fixture
def run(namespace: Namespace, reference_archive: Path, tmp_path: Path) -> Client:
    """Clients that ``kheadersfs run`` starts."""
    words = [sys.executable, "-m", "kheadersfs", "run", "--archive", str(reference_archive), "--"]
    return Client(namespace.command(*words), _bare_environment(tmp_path))


@pytest.fixture(params=["mounted", "run"])
def client(request: pytest.FixtureRequest) -> Client:
    """Clients, both ways."""
    chosen: Client = request.getfixturevalue(request.param)
    return chosen
