"""^C says nothing but its status and leaves nothing, wherever a command is when it comes.

The interpreter announces what it does: it imports, opens, forks, renames, calls C. Each command is
interrupted at the first of each of these, not at a moment of the clock. As at a terminal the whole
process group is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.conftest import REPOSITORY
from tests.support.mounting import HANGS, mounts_below, run_command, wait_until
from tests.support.processes import processes_marked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Prepare


pytestmark = pytest.mark.usefixtures("fuse")

MARK = "KHEADERSFS_TEST_INTERRUPT"
INTERRUPTED = (130, -signal.SIGINT)
"""To a shell both are 130."""

# With a number, interrupts at that event, and with 0 prints the events' names. Those of what comes
# before the first module of ours are not counted; they are the interpreter's.
HARNESS = """
import os, signal, sys
wanted, command = int(sys.argv.pop(1)), sys.argv[1]
events, process = [], os.getpid()

def see(event, arguments):
    if os.getpid() != process:
        return
    if events or event == "import" and arguments[0].startswith("kheadersfs"):
        events.append(event)
        if len(events) == wanted:
            os.killpg(0, signal.SIGINT)

def leave(status):
    if os.getpid() == process:
        os.write(2, " ".join(events).encode())
    really_leave(status)

with open(command) as file:
    code = compile(file.read(), command, "exec")
if not wanted:
    really_leave, os._exit = os._exit, leave
del sys.argv[0]
sys.addaudithook(see)
exec(code, {"__name__": "__main__"})
"""
ANNOUNCED = ("import", "open", "os.", "ctypes.", "socket.", "subprocess.", "tempfile.", "shutil.")

COMMANDS = {
    "mount": "mount ARCHIVE PLACE",
    "mount with options": "mount --prefetch -o cache=1M ARCHIVE PLACE",
    "run": "run --archive ARCHIVE -- true",
    "run --each": "run --each --junit DIRECTORY/r.xml --archive ARCHIVE --archive ARCHIVE -- true",
    "status": "status --json",
    "ls": "ls ARCHIVE",
    "cat": "cat ARCHIVE modes/644",
    "info": "info ARCHIVE",
    "verify": "verify ARCHIVE",
    "repack": "repack ARCHIVE -o DIRECTORY/out.tar.zst",
    "pack": "pack --srctree TREE -o DIRECTORY/out.tar.xz",
    "env": "env TREE",
    "cflags": "cflags --bpf TREE",
    "merge": "merge a=ARCHIVE b=ARCHIVE -o DIRECTORY/out.tar.xz",
    "help": "help limits",
    "reference": "reference fish",
    "a mistake": "mout ARCHIVE PLACE",
}


TREE = {
    "arch/x86/include/asm/page.h": "#define PAGE_SHIFT 12 /* 4 KiB */\n",
    "include/generated/autoconf.h": "#define CONFIG_X86 1\n",
    "include/generated/uapi/linux/version.h": "#define LINUX_VERSION_CODE 393479\n",
    "include/generated/utsrelease.h": '#define UTS_RELEASE "6.1.7-test"\n',
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
}
"""The smallest tree that is a configured kernel's."""


class Interrupted(NamedTuple):
    """How a command ended that was interrupted, and what it said on standard error."""

    status: int
    errors: str


class Place(NamedTuple):
    """Where a command works, and what it works with. Its processes carry a mark."""

    archive: Path
    tree: Path
    directory: Path
    program: Path = REPOSITORY / "tools/commands/kheadersfs"

    def run(self, words: str, event: int) -> Interrupted:
        """Run a command and interrupt it at the event with that number, from 1."""
        for name, path in {
            "ARCHIVE": self.archive,
            "TREE": self.tree,
            "PLACE": self.directory / "place",
            "DIRECTORY": self.directory,
        }.items():
            words = words.replace(name, str(path))
        done = subprocess.run(
            [sys.executable, "-c", HARNESS, str(event), str(self.program), *words.split()],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=HANGS,
            start_new_session=True,
            env={**os.environ, MARK: str(self.directory)},
        )
        return Interrupted(done.returncode, done.stderr)

    def first_events(self, words: str) -> dict[str, int]:
        """Return the numbers of the first event of each kind in a command that is left alone."""
        events = self.run(words, 0).errors.splitlines()[-1].split()
        kinds = sorted({name for name in events if name.startswith(ANNOUNCED)})
        return {name: events.index(name) + 1 for name in kinds}

    def processes(self) -> list[int]:
        """Return the processes that still run of a command."""
        return processes_marked(MARK, str(self.directory))

    def clean_up(self) -> None:
        """Take away what a command has left that was not interrupted."""
        if mounts_below(self.directory):
            assert run_command("umount", self.directory / "place").status == 0
        for path in self.directory.iterdir():
            if path.is_file():
                path.unlink()

    def check_nothing_is_left(self) -> None:
        """Check that there is no mount, no file and no process of an interrupted command."""
        assert mounts_below(self.directory) == []
        assert os.listdir(self.directory) == ["place"]
        assert os.listdir(self.directory / "place") == []
        wait_until(lambda: self.processes() == [], "all its processes ended")


@pytest.fixture
def place(small_archive: Path, tmp_path: Path) -> Place:
    """An empty directory, with one in it to mount at, and a kernel tree elsewhere."""
    directory = tmp_path / "work"
    (directory / "place").mkdir(parents=True)
    for name, text in TREE.items():
        file = tmp_path / "linux" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Place(small_archive, tmp_path / "linux", directory)


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_is_interrupted_says_nothing_and_leaves_nothing(
    place: Place, words: str
) -> None:
    events = place.first_events(words)
    place.clean_up()
    assert len(events) > 1
    for name, number in events.items():
        interrupted = place.run(words, number)
        assert interrupted.errors == "", name
        assert interrupted.status in INTERRUPTED, name
        place.check_nothing_is_left()


def test_the_mount_helper_that_is_interrupted_says_nothing_and_leaves_nothing(
    place: Place,
) -> None:
    test_a_command_that_is_interrupted_says_nothing_and_leaves_nothing(
        place._replace(program=REPOSITORY / "tools/commands/mount.fuse.kheadersfs"),
        "ARCHIVE PLACE -o ro",
    )


def test_what_a_kernels_build_runs_says_nothing_and_leaves_an_archive_or_none(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = place.tree / "gen_kheaders.py"
    script = (REPOSITORY / "tools/gen_kheaders.sh").read_text()
    program.write_text(script.partition("-c '")[2].rpartition("'")[0])
    monkeypatch.chdir(place.tree)
    monkeypatch.setenv("srctree", ".")
    monkeypatch.setenv("SRCARCH", "x86")
    (place.tree / "kernel").mkdir()
    place = place._replace(program=program)
    words = f"{REPOSITORY} kernel/kheaders_data.tar.xz"
    for name, number in place.first_events(words).items():
        for path in (place.tree / "kernel").iterdir():
            path.unlink()
        interrupted = place.run(words, number)
        assert interrupted.errors == "", name
        assert interrupted.status in INTERRUPTED, name
        left = {path.name for path in (place.tree / "kernel").iterdir()}
        assert left <= {"kheaders_data.tar.xz", ".kheaders_data.tar.xz.state.tmp"}, name
        wait_until(lambda: place.processes() == [], "all its processes ended")


def test_an_interrupted_umount_says_nothing_and_the_next_one_works(
    prepared_mount: Prepare, small_archive: Path, place: Place
) -> None:
    mount = prepared_mount(small_archive)
    words = f"umount {mount.path}"
    mount.mount()
    events = place.first_events(words)
    for name, number in events.items():
        if not mounts_below(mount.path):
            mount.mount()
        interrupted = place.run(words, number)
        assert interrupted.errors == "", name
        assert interrupted.status in INTERRUPTED, name
        if mounts_below(mount.path):
            assert (mount / "modes/644").read_bytes() == b"mode\n"
    if mounts_below(mount.path):
        mount.unmount()
    mount.check_nothing_left()


def test_what_ignores_interrupts_goes_on_doing_so(place: Place) -> None:
    """As what nohup starts, or a shell in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ignored = place.run("help limits", 1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ignored == Interrupted(0, "")
