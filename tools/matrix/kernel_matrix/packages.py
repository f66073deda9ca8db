"""Debian packages of other suites and architectures, without changing the machine's own apt."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
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


class Suite(NamedTuple):
    """A suite of a mirror with that *label*, and for which architectures its kernels are wanted."""

    name: str
    label: str
    architectures: tuple[str, ...]


# The fewer indexes there are, the sooner apt has parsed them. Mirrors of the security archive lack
# those of some architectures, and then apt drops all of a suite.
SUITES = (
    Suite("bullseye", "Debian", ("x86", "arm64")),
    Suite("bookworm", "Debian", ("x86", "arm64", "mips")),
    Suite("trixie", "Debian", ("x86", "arm64", "arm", "riscv", "powerpc", "s390")),
    Suite("sid", "Debian", ("x86", "arm64", "s390", "loongarch")),
    Suite("experimental", "Debian", ("x86", "arm64", "s390", "loongarch")),
    Suite("bullseye-security", "Debian-Security", ("x86", "arm64")),
    Suite("bookworm-security", "Debian-Security", ("x86", "arm64")),
    Suite("trixie-security", "Debian-Security", ("x86", "arm64")),
)

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


_FRESH = 3600
"""Seconds for which lists are taken for up to date."""


class Packages:
    """apt with a configuration of its own in *directory*.

    Its lists are brought up to date when the first question is asked, if they are old.

    It knows packages of *architectures*, in the kernel's names, and of *suites*, as far as the
    machine trusts a mirror of them already.
    """

    def __init__(
        self,
        directory: Path,
        architectures: Iterable[str] = ARCHITECTURES,
        suites: Iterable[Suite] = SUITES,
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
        stamp = self._directory / "updated"
        sources = "".join(self._sources())
        if stamp.exists() and stamp.read_text() == sources and _age(stamp) < _FRESH:
            return
        (self._directory / "sources.list").write_text(sources)
        architectures = " ".join(f'"{ARCHITECTURES[name]}";' for name in self._architectures)
        self._configuration.write_text(
            _CONFIGURATION.format(directory=self._directory, architectures=architectures)
        )
        # A mirror may lack an index, which apt says. Other suites may have the package.
        subprocess.run(
            ["apt-get", "-qq", "update", *_REMEMBER],
            check=False,
            env={**os.environ, "APT_CONFIG": str(self._configuration)},
        )
        stamp.write_text(sources)

    def _sources(self) -> list[str]:
        """Return the lines of a sources.list."""
        form = "$(LABEL)|$(REPO_URI)"
        words = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
        printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        lines = []
        for label, address in sorted({tuple(line.split("|")) for line in printed.splitlines()}):
            for suite in self._suites:
                names = [
                    ARCHITECTURES[name]
                    for name in suite.architectures
                    if name in self._architectures
                ]
                if suite.label == label and names:
                    lines.append(f"deb [arch={','.join(names)}] {address} {suite.name} main\n")
        return lines

    def _run(self, *words: str, directory: Path | None = None) -> list[str]:
        if not self._up_to_date:
            self._configure()
            self._up_to_date = True
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


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _version_key(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]
