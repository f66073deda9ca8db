"""Kernel trees from Debian's linux-source packages, configured with clang for an architecture."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# Neither headers nor what "make prepare" runs: half of the files.
_LEFT_OUT = ("*.rst", "*.yaml", "drivers/*.c", "sound/*.c", "fs/*.c", "net/*.c", "*.dts", "*.dtsi")


def unpack_sources(package: Path, into: Path) -> None:
    """Unpack what configuring needs of the linux-source archive *package* into a directory."""
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    partial = into.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    words = ["tar", "-xf", str(package), "-C", str(partial), "--strip-components=1", *left_out]
    subprocess.run(words, check=True)
    partial.rename(into)


def configure(source: Path, arch: str, objtree: Path, log: Path) -> None:
    """Make *objtree* the object tree of *source*, in the default configuration of *arch*.

    What make prints goes to *log*. Raises subprocess.CalledProcessError.
    """
    objtree.mkdir(parents=True)
    make = ["make", "-C", str(source), f"O={objtree}", f"ARCH={arch}", "LLVM=-19", "LLVM_IAS=1"]
    with log.open("wb") as output:

        def run(*words: str) -> None:
            command = ["nice", *words]
            subprocess.run(
                command, check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

        run(*make, "defconfig")
        run(str(source / "scripts/config"), "--file", f"{objtree}/.config", "-e", "BPF_SYSCALL")
        run(*make, f"-j{os.cpu_count()}", "olddefconfig", "prepare")


def make_own_archive(source: Path, arch: str, objtree: Path, out: Path) -> None:
    """Make *out*, a .tar.xz, with the kernel's own script or makefile rule of before 6.17."""
    environment = {
        **os.environ,
        "srctree": str(source),
        "SRCARCH": arch,
        "XZ": "xz",
        "building_out_of_srctree": "1",
    }
    script = ["/bin/sh", str(source / "kernel/gen_kheaders.sh"), "kernel/kheaders_data.tar.xz"]
    (objtree / "kernel").mkdir(exist_ok=True)
    subprocess.run(script, check=True, cwd=objtree, env=environment, stdout=subprocess.DEVNULL)
    shutil.copyfile(objtree / "kernel/kheaders_data.tar.xz", out)
