"""A machine without kernel headers, for tests of what commands find and do by themselves."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.kernel.architectures import arch_of_machine
from kheadersfs.mount.mountpoint import default_mountpoint
from tests.support.mounting import command_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.mounting import Outcome
    from tests.support.namespace import Namespace

RELEASE = os.uname().release
PLACE = default_mountpoint(RELEASE)
NOBODY = 65534
"""An ordinary user."""
KCONFIG = "#define IS_ENABLED(option) 1\n"


class Archives(NamedTuple):
    """Headers that say they are the running kernel's, and headers that say they are another's."""

    own: Path
    others: Path


class Machine(NamedTuple):
    """A machine without headers, and archives that a test can put there."""

    namespace: Namespace
    archives: Archives
    log: Path
    """What servers say."""

    def install(self) -> str:
        """Put an archive of its own kernel where one is looked for. Returns its path."""
        path = f"/usr/lib/kheaders/{RELEASE}.tar.xz"
        self.namespace.run("mkdir", "-p", "/usr/lib/kheaders")
        self.namespace.run("cp", self.archives.own, path)
        return path

    def mount(self, *arguments: str | Path) -> Outcome:
        """Run the mount command."""
        return self.namespace.kheadersfs("mount", "--log", self.log, *arguments)

    def mount_after(self, script: str) -> Outcome:
        """Run the mount command where shell commands in *script* change the machine for it."""
        unshare = ("unshare", "--mount", "--propagation=slave")
        run = ("sh", "-c", f'{script} && exec "$@"', "sh")
        return self.namespace.outcome(*unshare, *run, *command_line("mount"))

    def umount(self, *arguments: str | Path) -> Outcome:
        """Run the umount command."""
        return self.namespace.kheadersfs("umount", *arguments)

    def mounts(self) -> list[str]:
        """Return where this test's headers are mounted."""
        return self.namespace.mounts(PLACE, self.log.parent)

    def modules(self) -> list[str]:
        """Return all names in /lib/modules, and that directory itself."""
        # Some may be removed meanwhile.
        script = "[ ! -e /lib/modules ] || find /lib/modules -mindepth 0 2>/dev/null || true"
        return sorted(self.namespace.run("sh", "-c", script).splitlines())


def make_archive(directory: Path, release: str) -> Path:
    """Make a small archive of headers that say they are of *release*. Returns its path."""
    generated = directory / release / "include/generated"
    generated.mkdir(parents=True)
    (generated / "utsrelease.h").write_text(f'#define UTS_RELEASE "{release}"\n')
    arch = arch_of_machine(os.uname().machine)
    # PPC is the one symbol that is not the name of the directory.
    symbol = {"powerpc": "PPC"}.get(arch, arch.upper())
    (generated / "autoconf.h").write_text(f"#define CONFIG_{symbol} 1\n")
    (directory / release / "arch" / arch / "include").mkdir(parents=True)
    linux = directory / release / "include/linux"
    linux.mkdir()
    (linux / "kconfig.h").write_text(KCONFIG)
    archive = directory / f"{release}.tar.xz"
    subprocess.run(["tar", "-cJf", archive, "-C", directory / release, "."], check=True)
    return archive
