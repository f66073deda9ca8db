"""Debian packages of other suites and architectures, without changing the machine's own apt."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ARCHITECTURES = {
    "x86": "amd64",
    "arm64": "arm64",
    "arm": "armhf",
    "riscv": "riscv64",
    "powerpc": "ppc64el",
    "s390": "s390x",
    "mips": "mips64el",
    "loongarch": "loong64",
}
"""What Debian calls the kernel's architectures."""
SUITES = {
    "Debian": ("bullseye", "bookworm", "trixie", "sid", "experimental"),
    "Debian-Security": ("bullseye-security", "bookworm-security", "trixie-security"),
}
"""By the label of a mirror that the machine trusts already, the suites that are looked at."""
# apt drops all of a suite when one of its indexes is missing, and mirrors of this one lack some.
_ONLY = {"Debian-Security": ("amd64", "arm64")}

_CONFIGURATION = """\
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{directory}/state";
Dir::State::status "{directory}/state/status";
Dir::Cache "{directory}/cache";
APT::Architectures {{ {architectures} }};
APT::Sandbox::User "root";
"""
# Images of containers turn this off in apt.conf.d, which is read after a configuration file. To
# parse the lists of all suites and architectures takes apt half a minute each time.
_REMEMBER = ("-o", "Dir::Cache::pkgcache=pkgcache.bin", "-o", "Dir::Cache::srcpkgcache=src.bin")


class Packages:
    """apt with a configuration of its own in *directory*.

    Its lists are brought up to date when the first question is asked.

    It knows packages of *architectures*, in the kernel's names, and of the suites that *suites*
    has, a part of SUITES.
    """

    def __init__(
        self,
        directory: Path,
        architectures: Iterable[str] = ARCHITECTURES,
        suites: Mapping[str, tuple[str, ...]] = SUITES,
    ) -> None:
        self._configuration = directory / "apt.conf"
        self._directory = directory
        self._architectures = architectures
        self._suites = suites
        self._up_to_date = False

    def matching(self, pattern: str) -> list[str]:
        """Return the packages whose whole names *pattern* matches, the newest versions first."""
        found = [name for name in self._run("apt-cache", "pkgnames") if re.fullmatch(pattern, name)]
        return sorted(found, key=_version_key, reverse=True)

    def common_part(self, package: str) -> str:
        """Return the package of the sources' headers that headers *package* depends on."""
        lines = "\n".join(self._run("apt-cache", "depends", package))
        found = re.search(r"Depends: <?(linux-headers-[^\s:>]+-common(?:-rt)?)[\s:>]", lines + "\n")
        if found is None:
            raise LookupError(f"{package}: depends on no common part")
        return found[1]

    def unpack(self, package: str, into: Path) -> None:
        """Download *package* and unpack it in the directory *into*, without installing it."""
        into.mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "-qq", "download", package, directory=into)
        name = package.partition(":")[0]
        for archive in into.glob(f"{name}_*.deb"):
            subprocess.run(["dpkg", "-x", archive, into], check=True)
            archive.unlink()

    def _configure(self) -> None:
        for path in ("state/lists/partial", "cache/archives/partial"):
            (self._directory / path).mkdir(parents=True, exist_ok=True)
        (self._directory / "state/status").touch()
        (self._directory / "sources.list").write_text("".join(_sources(self._suites)))
        architectures = " ".join(f'"{ARCHITECTURES[name]}";' for name in self._architectures)
        self._configuration.write_text(
            _CONFIGURATION.format(directory=self._directory, architectures=architectures)
        )
        # A mirror may lack an index, which apt says. Other suites may have the package.
        subprocess.run(
            ["apt-get", "-qq", "update"],
            check=False,
            env={**os.environ, "APT_CONFIG": str(self._configuration)},
        )
        self._up_to_date = True

    def _run(self, *words: str, directory: Path | None = None) -> list[str]:
        if not self._up_to_date:
            self._configure()
        done = subprocess.run(
            [*words, *_REMEMBER],
            check=True,
            cwd=directory,
            env={**os.environ, "APT_CONFIG": str(self._configuration)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout.splitlines()


def _sources(suites: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the lines of a sources.list: *suites* on the mirrors that the machine uses."""
    form = "$(LABEL)|$(REPO_URI)"
    words = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    lines = []
    for target in sorted(set(printed.splitlines())):
        label, address = target.split("|")
        only = f"[arch={','.join(_ONLY[label])}] " if label in _ONLY else ""
        lines += [f"deb {only}{address} {suite} main\n" for suite in suites.get(label, ())]
    return lines


def _version_key(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]
