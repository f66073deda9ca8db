"""The archives and images that all contenders read, made once and kept in a cache directory.

All have the same content: that of one header archive as the kernel's own script makes it.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmark.errors import BenchError, Failed, Unavailable
from benchmark.processes import Command, find_program, timed_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmark.implementations import Implementation

SUFFIXES = {"xz": ".tar.xz", "zstd": ".tar.zst"}
"""How archives are called, by compression."""
LIMITS = [f"--limit={limit}" for limit in ("members=2M", "total=16G", "memory=2G", "seconds=600")]
"""The largest archives are beyond what is read unasked."""
VERSIONS_KEPT = 4
"""How many versions' packed archives stay in the cache."""


class Inputs:
    """One kernel's headers in every form.

    ``memory`` is a directory in a tmpfs, ``tree`` one in it where the archive is extracted,
    ``mountpoint`` one to mount at. *archive* is as the kernel's own script made it; what cannot be
    kept in the directory *cache* goes to *scratch*.
    """

    def __init__(self, archive: str, cache: str, scratch: str) -> None:
        self.scratch = scratch
        self.log = os.path.join(scratch, "log")
        self.memory = os.path.join(scratch, "memory")
        self.tree = os.path.join(self.memory, "tree")
        self.mountpoint = os.path.join(scratch, "mounted")
        with open(archive, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()[:16]
        self._directory = os.path.join(cache, digest)
        os.makedirs(self._directory, exist_ok=True)
        self._archive = archive

    def extract_tree(self) -> None:
        """Extract the archive at ``tree``."""
        os.mkdir(self.tree)
        self.run(find_program("tar"), "-xf", self.kernel_xz(), "-C", self.tree)

    def run(self, *arguments: str) -> float:
        """Run a program. Returns seconds; raises Failed."""
        return timed_run(Command(list(arguments), os.environ, self.log))

    def kernel_xz(self) -> str:
        """Return the kernel's own archive."""
        return self.cached("kernel.tar.xz", lambda path: shutil.copyfile(self._archive, path))

    def kernel_zstd(self) -> str:
        """Return the kernel's archive compressed with zstd: one frame, no index."""
        zstd, xz = find_program("zstd"), find_program("xz")

        def make(path: str) -> None:
            plain = os.path.join(self.memory, "plain.tar")
            self.run("/bin/sh", "-c", 'exec "$0" -dc "$1" >"$2"', xz, self.kernel_xz(), plain)
            self.run(zstd, "-q", "-19", plain, "-o", path)
            os.unlink(plain)

        return self.cached("kernel.tar.zst", make)

    def squashfs(self) -> str:
        """Return a squashfs image, compressed with zstd."""
        program = find_program("mksquashfs")
        options = ("-comp", "zstd", "-no-progress", "-quiet", "-all-root")
        return self.cached(
            "zstd.squashfs", lambda path: self.run(program, self.tree, path, *options)
        )

    def erofs(self) -> str:
        """Return an erofs image, compressed with lz4hc."""
        program = find_program("mkfs.erofs")
        return self.cached(
            "lz4hc.erofs",
            lambda path: self.run(program, "-zlz4hc", "--all-root", path, self.tree),
        )

    def dwarfs(self) -> str:
        """Return a dwarfs image made with that program's defaults."""
        program = find_program("mkdwarfs")
        return self.cached(
            "image.dwarfs", lambda path: self.run(program, "-i", self.tree, "-o", path)
        )

    def packed(self, implementation: Implementation, compression: str) -> str:
        """Return the archive as *implementation* packs it; *compression* is xz or zstd.

        Raises Unavailable when it cannot be packed.
        """
        version = implementation.format_version()
        suffix = SUFFIXES[compression]
        if version is None:
            path = os.path.join(self.scratch, f"packed-{implementation.label}{suffix}")
            if not os.path.exists(path):
                self._repack(implementation, self.kernel_xz(), path)
            return path
        path = self.cached(
            f"packed-{version}{suffix}",
            lambda path: self._repack(implementation, self.kernel_xz(), path),
        )
        os.utime(path)
        versions = glob.glob(os.path.join(self._directory, f"packed-*{suffix}"))
        for forgotten in sorted(versions, key=os.path.getmtime)[:-VERSIONS_KEPT]:
            os.unlink(forgotten)
        return path

    def repacked(
        self, implementation: Implementation, archive: str, name: str, compression: str
    ) -> str:
        """Return *archive*, cached as *name*, packed by a version whose index can still be read.

        That takes up to half an hour for the largest, so it is not done anew for every version.
        Raises Unavailable when it cannot be packed.
        """
        path = os.path.join(self._directory, f"{name}-packed{SUFFIXES[compression]}")
        if os.path.exists(path) and not self._is_indexed(implementation, path):
            os.unlink(path)
        return self.cached(
            os.path.basename(path), lambda path: self._repack(implementation, archive, path)
        )

    def _repack(self, implementation: Implementation, archive: str, path: str) -> None:
        try:
            self.run(implementation.executable, "repack", *LIMITS, archive, path)
        except Failed as error:
            raise Unavailable(f"it cannot be packed: {error}") from error

    def _is_indexed(self, implementation: Implementation, path: str) -> bool:
        """Tell whether *implementation* finds an index that it understands in the archive."""
        described = subprocess.run(
            [implementation.executable, "info", "--json", *LIMITS, path],
            capture_output=True,
            check=False,
        )
        return described.returncode == 0 and bool(json.loads(described.stdout)["indexed"])

    def cached(self, name: str, make: Callable[[str], object]) -> str:
        """Return the path of *name* in the cache directory; *make* makes it there if need be."""
        path = os.path.join(self._directory, name)
        if not os.path.exists(path):
            print(f"making {name}", file=sys.stderr)
            partial = f"partial.{name}"
            for remnant in os.listdir(self._directory):
                if partial in remnant:
                    _remove(os.path.join(self._directory, remnant))
            make(os.path.join(self._directory, partial))
            os.rename(os.path.join(self._directory, partial), path)
        return path


def _remove(path: str) -> None:
    """Remove what an interrupted run has left."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def list_names(directory: str) -> tuple[int, list[str]]:
    """Return how many names are below *directory*, and the sorted paths of regular files.

    The paths are relative to *directory*.
    """
    names = 0
    files = []
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(os.path.join(directory, below)) as entries:
            for entry in entries:
                names += 1
                path = os.path.join(below, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif entry.is_file(follow_symlinks=False):
                    files.append(path)
    return names, sorted(files)


def find_archive(candidates: Sequence[str]) -> str:
    """Return the first of *candidates* that exists. Raises BenchError."""
    for candidate in candidates:
        if os.path.exists(candidate):
            return candidate
    raise BenchError(
        "no header archive found: name one with --archive, or start with tools/bench/run, "
        "which makes one"
    )
