"""A mount namespace without kernel headers, in which a test can put some wherever it likes.

Nothing of it is seen outside, and nothing is left of it: it ends with the process that holds it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.mounting import Outcome, command_line, run_words

if TYPE_CHECKING:
    from collections.abc import Iterator


# /usr is an overlay in which the directories are absent that may have headers; a character device
# 0:0 in its upper layer says so. It ends when the test's end of the pipe is closed.
_HOLDER = """
mount -t tmpfs none /mnt
mkdir -p /mnt/upper/lib /mnt/work
for absent in src lib/modules lib/kheaders; do
    mknod /mnt/upper/$absent c 0 0
done
mount -t overlay -o lowerdir=/usr,upperdir=/mnt/upper,workdir=/mnt/work none /usr
mount -t tmpfs none /boot
mount -t tmpfs none /var/cache
if [ -e /sys/kernel/kheaders.tar.xz ]; then
    mkdir /mnt/kernel
    mount --rbind /sys/kernel /mnt/kernel
    mount -t tmpfs none /sys/kernel
    for directory in /mnt/kernel/*/; do
        name=$(basename "$directory")
        mkdir "/sys/kernel/$name"
        mount --rbind "$directory" "/sys/kernel/$name"
    done
fi
umount --lazy /mnt
"""
_HOLD = """
echo ready
read end
"""


class Namespace(NamedTuple):
    """A mount namespace, by the process that holds it."""

    pid: int

    def command(self, *words: str | Path) -> list[str]:
        """Return the words that run a command in the namespace."""
        # The root is the holder's, too: in a chroot the namespace's own would be that around it.
        enter = ("nsenter", f"--target={self.pid}", "--mount", "--root", "--wd")
        return [*enter, "--", *map(str, words)]

    def outcome(self, *words: str | Path, **environment: str) -> Outcome:
        """Run a command in the namespace to its end."""
        return run_words(*self.command(*words), **environment)

    def run(self, *words: str | Path) -> str:
        """Run a command in the namespace, which must succeed. Returns what it printed."""
        outcome = self.outcome(*words)
        assert outcome.status == 0, outcome.errors
        return outcome.output

    def kheadersfs(self, *arguments: str | Path) -> Outcome:
        """Run a kheadersfs command in the namespace to its end."""
        return self.outcome(*command_line(*arguments))

    def path(self, path: str) -> Path:
        """Return where a path of the namespace is found from outside of it."""
        return Path(f"/proc/{self.pid}/root{path}")

    def mounts(self, *directories: str | Path) -> list[str]:
        """Return where headers are mounted at or below *directories*."""
        with open(f"/proc/{self.pid}/mountinfo") as mounts:
            found = [line.split(" ")[4] for line in mounts if " - fuse.kheadersfs " in line]
        wanted = tuple(f"{os.path.realpath(name)}/" for name in directories)
        return [where for where in found if f"{where}/".startswith(wanted)]


@contextmanager
def without_headers(more: str = "") -> Iterator[Namespace]:
    """Make a namespace without headers; *more* are shell commands that go on setting it up.

    Skips the test where that is not possible.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may do this")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("kernel: there is no /dev/fuse")
    if not os.path.islink("/lib"):
        pytest.skip("kernel: its modules are not below /usr here")
    if missing := [name for name in ("nsenter", "unshare") if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    # As a slave it does not hold what others mount when they unmount it.
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation=slave", "sh", "-ec", _HOLDER + more + _HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            _, errors = holder.communicate()
            pytest.skip(f"kernel: no such namespace can be made here: {errors.strip()}")
        yield Namespace(holder.pid)
        holder.stdin.close()
