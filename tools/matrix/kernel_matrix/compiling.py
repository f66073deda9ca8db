"""Compiling every program against one archive, mounted and extracted."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = tuple(sorted((Path(__file__).parents[1] / "programs").glob("*.bpf.c")))
COMPILERS = ("clang-14", "clang-19")
_BIG_ENDIAN = "CONFIG_CPU_BIG_ENDIAN 1"


class Outcome(NamedTuple):
    """What became of PROGRAMS: *failed* are those that do not compile, with the first error."""

    failed: dict[str, str]

    @property
    def compiled(self) -> int:
        """How many programs compile."""
        return len(PROGRAMS) - len(self.failed)


class Cell(NamedTuple):
    """One archive and one compiler: what compiles from a mount, and from what tar extracts."""

    mounted: Outcome
    extracted: Outcome


def compile_all(archive: Path, compilers: tuple[str, ...]) -> dict[str, Cell]:
    """Compile PROGRAMS with each of *compilers*. Raises subprocess.CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="kheadersfs-matrix-") as scratch:
        tree = Path(scratch, "tree")
        tree.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", tree], check=True)
        with _mounted(archive, Path(scratch, "mount")) as mount:
            return {
                compiler: Cell(compile_against(mount, compiler), compile_against(tree, compiler))
                for compiler in compilers
            }


def compile_against(headers: Path, compiler: str) -> Outcome:
    """Compile PROGRAMS against the directory *headers* with the flags that ``cflags`` prints."""
    printed = _kheadersfs("cflags", "--bpf", headers)
    configuration = (headers / "include/generated/autoconf.h").read_text()
    target = "bpfeb" if _BIG_ENDIAN in configuration else "bpfel"
    words = [compiler, "-target", target, "-O2", "-g", *printed.split(), "-c", "-o", "/dev/null"]
    failed = {}
    for program in PROGRAMS:
        done = subprocess.run(
            [*words, program],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            failed[program.name] = _first_error(done.stderr, done.returncode)
    return Outcome(failed)


def _first_error(messages: str, status: int) -> str:
    # A crash of the compiler itself is told by its status, a signal's.
    if "PLEASE submit a bug report" in messages:
        return f"{status}: the compiler crashed"
    for line in messages.splitlines():
        if "error:" in line:
            return line.partition("error:")[2].strip()
    return f"status {status}"


@contextmanager
def _mounted(archive: Path, place: Path) -> Iterator[Path]:
    place.mkdir()
    _kheadersfs("mount", archive, place)
    try:
        yield place
    finally:
        _kheadersfs("umount", place)


def _kheadersfs(*words: str | Path) -> str:
    command = [sys.executable, "-m", "kheadersfs", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
