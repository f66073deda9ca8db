"""How the archive of each input is made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from kernel_matrix.inputs import FEDORA, NEWEST, SCRIPT, SOURCE, UBUNTU, Given
from kernel_matrix.layouts import as_fedora, as_ubuntu
from kernel_matrix.packages import ARCHITECTURES
from kernel_matrix.sources import Build, unpack_sources

if TYPE_CHECKING:
    from pathlib import Path

    from kernel_matrix.inputs import Input
    from kernel_matrix.packages import Packages

_SERIES = r"\d+\.\d+"
_LAYOUTS = {UBUNTU: as_ubuntu, FEDORA: as_fedora}


class Cache:
    """Archives that were made, in *directory*; everything else in it is scratch."""

    def __init__(self, directory: Path, packages: Packages) -> None:
        self._directory = directory
        self._packages = packages

    def archive(self, wanted: Input | Given) -> Path:
        """Return the archive of *wanted*, made now if it is not there; of a tree given, always.

        Raises LookupError when the mirrors have no package for it, OSError and
        subprocess.CalledProcessError.
        """
        if isinstance(wanted, Given):
            return self._given(wanted)
        suffix = ".tar.xz" if wanted.kind == SCRIPT else ".tar.zst"
        path = self._directory / "archives" / (_file_name(wanted) + suffix)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = self._directory / "scratch" / _file_name(wanted)
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            try:
                build = wanted.kind in (SOURCE, SCRIPT)
                make = self._from_source if build else self._from_headers
                make(wanted, scratch, path)
            finally:
                shutil.rmtree(scratch)
        return path

    def _given(self, wanted: Given) -> Path:
        if not wanted.path.is_dir():
            return wanted.path
        out = self._directory / "archives" / f"{_file_name(wanted)}.tar.zst"
        out.parent.mkdir(parents=True, exist_ok=True)
        _pack(out, "--srctree", wanted.path)
        return out

    def _from_headers(self, wanted: Input, scratch: Path, out: Path) -> None:
        # Other flavours begin with a letter: "cloud-amd64" is none of "amd64".
        pattern = rf"linux-headers-{_series(wanted)}(\.\d[^-]*)?(-\d+)?-{wanted.variant}"
        for package in self._packages.matching(pattern):
            named = f"{package}:{ARCHITECTURES[wanted.arch]}"
            try:
                common = self._packages.common_part(named)
                self._packages.unpack(named, scratch)
                self._packages.unpack(common, scratch)
            except (LookupError, subprocess.CalledProcessError) as error:
                # A mirror's index may name what the mirror does not have.
                shutil.rmtree(scratch)
                scratch.mkdir()
                print(f"{error}: an older one is tried", file=sys.stderr)
                continue
            arrange = _LAYOUTS.get(wanted.kind)
            _pack(out, "--srctree", arrange(scratch) if arrange else scratch)
            return
        raise LookupError(f"{wanted.name}: no package of the mirrors has these headers")

    def _from_source(self, wanted: Input, scratch: Path, out: Path) -> None:
        source = self._source_tree(wanted)
        objtree = scratch / "objtree"
        log = out.with_name(f"{_file_name(wanted)}.log")
        build = Build(source, wanted.arch, objtree, log)
        # Without the first, structures lack what BPF needs; the second embeds an archive.
        build.configure(wanted.variant or "defconfig", ("BPF_SYSCALL", "IKHEADERS"))
        if wanted.kind == SCRIPT:
            build.make_own_archive(out)
        else:
            _pack(out, "--srctree", source, "--objtree", objtree)

    def _source_tree(self, wanted: Input) -> Path:
        packages = self._packages.matching(rf"linux-source-{_series(wanted)}")
        if not packages:
            raise LookupError(f"{wanted.name}: no package of the mirrors has its sources")
        package = packages[0]
        tree = self._directory / "sources" / package
        if not tree.exists():
            scratch = self._directory / "scratch" / package
            shutil.rmtree(scratch, ignore_errors=True)
            self._packages.unpack(package, scratch)
            unpack_sources(scratch / f"usr/src/{package}.tar.xz", tree)
            shutil.rmtree(scratch)
        return tree


def _series(wanted: Input) -> str:
    return _SERIES if wanted.series == NEWEST else wanted.series.replace(".", r"\.")


def _file_name(wanted: Input | Given) -> str:
    return wanted.name.replace(" ", "-")


def _pack(out: Path, *trees: str | Path) -> None:
    words = ["pack", *map(str, trees), "-o", str(out)]
    subprocess.run([sys.executable, "-m", "kheadersfs", *words], check=True)
