"""The kernels of the matrix, and how the archive of each is made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from kernel_matrix.packages import ARCHITECTURES
from kernel_matrix.sources import configure, make_own_archive, unpack_sources

if TYPE_CHECKING:
    from pathlib import Path

    from kernel_matrix.packages import Packages

NEWEST = "newest"
_SERIES = r"\d+\.\d+"


class Input(NamedTuple):
    """A kernel's headers: *series* is like 6.12, *arch* a directory below ``arch/``.

    *kind* is "headers" (Debian's packages of *flavour*), "source" (packed by ``pack`` from a
    configured tree) or "script" (by the kernel's own script from it).
    """

    series: str
    arch: str
    kind: str
    flavour: str = ""

    @property
    def name(self) -> str:
        """What the table and the command line call it."""
        words = (self.series, self.arch, self.kind, self.flavour)
        return " ".join(word for word in words if word)


SAMPLE = tuple(
    Input(series, arch, "headers", flavour)
    for series in ("6.1", "6.12")
    for arch, flavour in (("x86", "amd64"), ("arm64", "arm64"))
)
INPUTS = (
    *SAMPLE,
    *(
        Input(series, arch, "headers", flavour)
        for series in ("5.10", NEWEST)
        for arch, flavour in (("x86", "amd64"), ("arm64", "arm64"))
    ),
    Input("6.12", "arm", "headers", "armmp"),
    Input("6.12", "riscv", "headers", "riscv64"),
    Input("6.12", "powerpc", "headers", "powerpc64le"),
    Input("6.12", "s390", "headers", "s390x"),
    Input("6.12", "mips", "headers", "5kc-malta"),
    Input(NEWEST, "loongarch", "headers", "loong64"),
    *(
        Input(series, "x86", "headers", flavour)
        for series in ("6.12", "6.1", NEWEST, "5.10")
        for flavour in ("cloud-amd64", "rt-amd64")
    ),
    *(Input("6.12", "arm64", "headers", flavour) for flavour in ("cloud-arm64", "rt-arm64")),
    *(Input(series, "x86", "script") for series in ("6.12", "6.1", "5.10")),
    *(Input(NEWEST, arch, "source") for arch in ("x86", "loongarch")),
)


class Cache:
    """Archives that were made, in *directory*; everything else in it is scratch."""

    def __init__(self, directory: Path, packages: Packages) -> None:
        self._directory = directory
        self._packages = packages

    def archive(self, wanted: Input) -> Path:
        """Return the archive of *wanted*, made now if it is not there."""
        suffix = ".tar.xz" if wanted.kind == "script" else ".tar.zst"
        path = self._directory / "archives" / (wanted.name.replace(" ", "-") + suffix)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = self._directory / "scratch" / wanted.name.replace(" ", "-")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            try:
                make = self._from_headers if wanted.kind == "headers" else self._from_source
                make(wanted, scratch, path)
            finally:
                shutil.rmtree(scratch)
        return path

    def _from_headers(self, wanted: Input, scratch: Path, out: Path) -> None:
        series = _SERIES if wanted.series == NEWEST else wanted.series.replace(".", r"\.")
        # Other flavours begin with a letter: "cloud-amd64" is none of "amd64".
        package = self._packages.newest(rf"linux-headers-{series}\.\d[^-]*(-\d+)?-{wanted.flavour}")
        if package is None:
            raise LookupError(f"{wanted.name}: no package of the mirror has these headers")
        common = self._packages.common_part(f"{package}:{ARCHITECTURES[wanted.arch]}")
        self._packages.unpack(f"{package}:{ARCHITECTURES[wanted.arch]}", scratch)
        self._packages.unpack(common, scratch)
        _pack(out, "--srctree", scratch)

    def _from_source(self, wanted: Input, scratch: Path, out: Path) -> None:
        source = self._source_tree(wanted.series)
        objtree = scratch / "objtree"
        configure(source, wanted.arch, objtree, out.with_suffix(".log"))
        if wanted.kind == "script":
            make_own_archive(source, wanted.arch, objtree, out)
        else:
            _pack(out, "--srctree", source, "--objtree", objtree)

    def _source_tree(self, series: str) -> Path:
        pattern = _SERIES if series == NEWEST else series.replace(".", r"\.")
        package = self._packages.newest(rf"linux-source-{pattern}")
        if package is None:
            raise LookupError(f"{series}: no package of the mirror has its sources")
        tree = self._directory / "sources" / package
        if not tree.exists():
            scratch = self._directory / "scratch" / package
            shutil.rmtree(scratch, ignore_errors=True)
            self._packages.unpack(package, scratch)
            unpack_sources(scratch / f"usr/src/{package}.tar.xz", tree)
            shutil.rmtree(scratch)
        return tree


def _pack(out: Path, *trees: str | Path) -> None:
    words = ["pack", *map(str, trees), "-o", str(out)]
    subprocess.run([sys.executable, "-m", "kheadersfs", *words], check=True)
