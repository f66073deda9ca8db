"""Kernel trees from Debian's linux-source packages, configured with clang for an architecture."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Neither headers nor what "make prepare" runs: half of the files.
_LEFT_OUT = ("*.rst", "*.yaml", "drivers/*.c", "sound/*.c", "fs/*.c", "net/*.c", "*.dts", "*.dtsi")
# Its programs have the names that LLVM=1 asks for; kernels before 5.18 know no LLVM=-19.
_TOOLCHAIN = "/usr/lib/llvm-19/bin"
_OWN_ARCHIVE = "kernel/kheaders_data.tar.xz"


class Build:
    """An object tree of *source* in the directory *objtree*; what make prints goes to *log*.

    *arch* is the kernel's ARCH. Every method raises subprocess.CalledProcessError.
    """

    def __init__(self, source: Path, arch: str, objtree: Path, log: Path) -> None:
        objtree.mkdir(parents=True)
        self._source = source
        self._objtree = objtree
        self._log = log
        self._make = ["make", "-C", str(source), f"O={objtree}", f"ARCH={arch}", "LLVM=1"]
        self._make.append("LLVM_IAS=1")

    def configure(self, target: str, enabled: Iterable[str]) -> None:
        """Make the configuration *target* with the options *enabled*, and all generated headers."""
        self._run(*self._make, target)
        options = [word for option in enabled for word in ("-e", option)]
        self._run(self._source / "scripts/config", "--file", self._objtree / ".config", *options)
        self._run(*self._make, f"-j{os.cpu_count()}", "olddefconfig", "prepare")

    def make_own_archive(self, out: Path) -> None:
        """Make *out*, a .tar.xz, by the kernel's own rule; CONFIG_IKHEADERS must be enabled."""
        self._run(*self._make, "kernel/kheaders.o")
        shutil.copyfile(self._objtree / _OWN_ARCHIVE, out)

    def _run(self, *words: str | Path) -> None:
        environment = {**os.environ, "PATH": f"{_TOOLCHAIN}:{os.environ['PATH']}"}
        with self._log.open("ab") as output:
            subprocess.run(
                ["nice", *words],
                check=True,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


def unpack_sources(package: Path, into: Path) -> None:
    """Unpack what configuring needs of the linux-source archive *package* into a directory."""
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    partial = into.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    words = ["tar", "-xf", str(package), "-C", str(partial), "--strip-components=1", *left_out]
    subprocess.run(words, check=True)
    partial.rename(into)
