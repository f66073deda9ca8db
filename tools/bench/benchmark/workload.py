"""The work that headers are for: one real eBPF program is compiled from them.

The way is that of the kernel's samples/bpf, as in tools/sample/build: clang parses for the host,
whose inline assembly the headers contain, and llc generates eBPF code. The programs are started
directly, without the shell and its helpers, so that only they are measured.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Protocol

from benchmark.errors import Failed
from benchmark.implementations import REPOSITORY
from benchmark.processes import Command, find_program, timed_pipeline

SOURCE = os.path.join(REPOSITORY, "tools", "sample", "headers.bpf.c")


class Work(Protocol):
    """What is done with headers. It makes one file, which depends on all that was read."""

    def build(self, headers: str, output: str) -> float:
        """Work with the directory *headers*, make *output*. Returns seconds; raises Failed."""

    def shell_command(self, output: str) -> list[str]:
        """Return a command that does the same with ``$KHEADERS``."""


class Workload:
    """Compiles the sample program for headers that are configured like those in *tree*."""

    def __init__(self, tree: str, log: str) -> None:
        self._clang, self._opt, self._llc = map(find_program, ("clang", "opt", "llc"))
        self._log = log
        self._resources = subprocess.run(
            [self._clang, "-print-resource-dir"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self._arch = _configured_arch(tree)

    def build(self, headers: str, output: str) -> float:
        """See Work."""
        return timed_pipeline(
            [Command(part, os.environ, self._log) for part in self._pipeline(headers, output)]
        )

    def shell_command(self, output: str) -> list[str]:
        """See Work."""
        # No word with the marker in it needs quotes, and the mountpoint has no spaces.
        parts = (shlex.join(part) for part in self._pipeline("@KHEADERS@", output))
        script = " | ".join(parts).replace("@KHEADERS@", "$KHEADERS")
        return ["/bin/sh", "-c", script]

    def clang(self, headers: str) -> list[str]:
        """Return the command that reads *headers*, the first of three; it writes to stdout."""
        return self._pipeline(headers, "")[0]

    def _pipeline(self, headers: str, output: str) -> list[list[str]]:
        architecture = f"{headers}/arch/{self._arch}/include"
        directories = [
            *(architecture, f"{architecture}/generated", f"{headers}/include"),
            *(f"{architecture}/uapi", f"{architecture}/generated/uapi"),
            *(f"{headers}/include/uapi", f"{headers}/include/generated/uapi"),
        ]
        first = ("compiler-version.h", "kconfig.h", "compiler_types.h")
        return [
            [
                *(self._clang, "-O2", "-emit-llvm", "-Xclang", "-disable-llvm-passes"),
                *("-fno-asynchronous-unwind-tables", "-nostdinc"),
                *("-isystem", f"{self._resources}/include"),
                *(f"-I{directory}" for directory in directories),
                *(
                    word
                    for name in first
                    for word in ("-include", f"{headers}/include/linux/{name}")
                ),
                *("-D__KERNEL__", "-D__BPF_TRACING__", "-Wno-address-of-packed-member"),
                *("-Wno-gnu-variable-sized-type-not-at-end", "-c", SOURCE, "-o", "-"),
            ],
            [self._opt, "-O2", "-mtriple=bpf-pc-linux"],
            [self._llc, "-march=bpf", "-filetype=obj", "-o", output],
        ]


def _configured_arch(tree: str) -> str:
    """Return the directory below arch/ whose headers are generated."""
    for arch in sorted(os.listdir(os.path.join(tree, "arch"))):
        if os.path.isdir(os.path.join(tree, "arch", arch, "include", "generated")):
            return arch
    raise Failed(f"{tree}: no architecture's headers are configured")
