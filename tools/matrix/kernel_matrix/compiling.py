"""Compiling every program against a directory of headers."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from kernel_matrix.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAMS = tuple(sorted((Path(__file__).parents[1] / "programs").glob("*.bpf.c")))
COMPILERS = ("clang-14", "clang-19")
_BIG_ENDIAN = "CONFIG_CPU_BIG_ENDIAN 1"


def compile_against(headers: Path, compiler: str, objects: Path) -> Outcome:
    """Compile PROGRAMS against the directory *headers* with the flags that ``cflags`` prints.

    The objects are put in the directory *objects*. Raises subprocess.CalledProcessError.
    """
    flags = kheadersfs("cflags", "--bpf", headers).split()
    words = [compiler, "-target", target_of(headers), "-O2", "-g", *flags]

    def compile_one(program: Path) -> str | None:
        out = objects / program.with_suffix(".o").name
        return _refusal([*words, "-c", program, "-o", out])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reasons = zip(PROGRAMS, pool.map(compile_one, PROGRAMS), strict=True)
    return Outcome(
        len(PROGRAMS), {program.name: reason for program, reason in reasons if reason is not None}
    )


def target_of(headers: Path) -> str:
    """Return what clang calls the BPF machine of the byte order that *headers* are for."""
    configuration = (headers / "include/generated/autoconf.h").read_text()
    return "bpfeb" if _BIG_ENDIAN in configuration else "bpfel"


def kheadersfs(*words: str | Path) -> str:
    """Run our command. Returns what it prints; raises subprocess.CalledProcessError."""
    command = [sys.executable, "-m", "kheadersfs", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_for_errors(
    words: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    patience: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command *words*, of which only what it prints to standard error is kept.

    Raises subprocess.TimeoutExpired when it takes longer than *patience* seconds.
    """
    return subprocess.run(
        words,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=patience,
    )


def _refusal(words: list[str | Path]) -> str | None:
    """Return the first error that the compiler command *words* prints, if it fails."""
    done = run_for_errors(words)
    if done.returncode == 0:
        return None
    # A crash of the compiler itself is told by its status, a signal's.
    if "PLEASE submit a bug report" in done.stderr:
        return f"{done.returncode}: the compiler crashed"
    return first_error(done.stderr) or f"status {done.returncode}"


def first_error(messages: str) -> str:
    """Return the first error in a compiler's *messages*; it is empty when there is none."""
    for line in messages.splitlines():
        if "error:" in line:
            return line.partition("error:")[2].strip()
    return ""
