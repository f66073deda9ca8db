"""A real kernel, configured twice: in its source tree, and with O= in a directory of its own.

It is made from Debian's linux-source once per machine, in a minute, and then kept in the cache.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = "x86_64_defconfig"
SCRIPT = "kernel/gen_kheaders.sh"
ARCHIVE = "kernel/kheaders_data.tar.xz"
PROGRAMS = ("tar", "xz", "cp", "make", "gcc", "flex", "bison", "bc", "rsync", "perl", "cpio")
# Neither headers nor what "make prepare" runs: half of the files.
_LEFT_OUT = ("*.rst", "*.yaml", "drivers/*.c", "sound/*.c", "fs/*.c", "net/*.c", "*.dts", "*.dtsi")


class Trees(NamedTuple):
    """``source`` is clean, ``objtree`` was built from it with O=, ``in_tree`` is a built copy.

    In both of the latter the kernel's own script has made ARCHIVE.
    """

    source: Path
    objtree: Path
    in_tree: Path


def missing_parts() -> list[str]:
    """Return what this machine lacks to make the trees."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return missing if _packages() else [*missing, "linux-source"]


def _packages() -> list[Path]:
    return sorted(Path("/usr/src").glob("linux-source-*.tar.xz"))


def kernel_trees() -> Trees:
    """Return the trees, made now if they are not in the cache. They are not to be changed."""
    package = _packages()[-1]
    status = package.stat()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "kheadersfs-tests" / f"{package.name}-{status.st_size}-{status.st_mtime_ns}"
    trees = Trees(directory / "source", directory / "objtree", directory / "in-tree")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locked(directory.parent / "lock"):
        complete = directory / "complete"
        if not complete.exists():
            shutil.rmtree(directory, ignore_errors=True)
            _make(package, trees)
            complete.touch()
    return trees


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(package: Path, trees: Trees) -> None:
    trees.source.mkdir(parents=True)
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    _run("tar", "-xf", package, "-C", trees.source, "--strip-components=1", *left_out)
    _run("cp", "-al", trees.source, trees.in_tree)
    trees.objtree.mkdir()
    _configure(trees.in_tree, trees.in_tree)
    _configure(trees.source, trees.objtree, f"O={trees.objtree}")
    for tree, srctree in ((trees.in_tree, "."), (trees.objtree, str(trees.source))):
        run_script(trees.source / SCRIPT, tree, srctree)


def run_script(script: Path, objtree: Path, srctree: str, **variables: str) -> str:
    """Run *script*, in place of the kernel's own of before 6.17, as the kernel's makefile does.

    Returns what it prints. The archive is ARCHIVE in *objtree*.
    """
    environment = {**os.environ, "srctree": srctree, "SRCARCH": "x86", "XZ": "xz", **variables}
    if srctree != ".":
        environment["building_out_of_srctree"] = "1"
    done = subprocess.run(
        ["/bin/sh", script, ARCHIVE],
        check=True,
        cwd=objtree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def _configure(srctree: Path, objtree: Path, *variables: str) -> None:
    make: list[str | Path] = ["make", "-s", "-C", srctree, f"-j{os.cpu_count()}", *variables]
    _run(*make, CONFIGURATION)
    config = (srctree / "scripts/config", "--file", objtree / ".config")
    _run(*config, "-e", "IKHEADERS", "-e", "BPF_SYSCALL")
    _run(*make, "olddefconfig", "prepare")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
