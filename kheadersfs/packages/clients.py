"""The package clients of distributions: which packages of kernel headers they offer, and downloads.

Each client searches and downloads from the sources that the machine's configuration names. apt and
zypper check every package that they download against signed lists. dnf checks only when it
installs, so rpmkeys checks what it has downloaded.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kheadersfs.errors import KheadersfsError, reason

if TYPE_CHECKING:
    from kheadersfs.packages.facts import Need

_LONGEST_WORDS = 300
"""Characters of a client's own message that ours repeats."""


class Client:
    """A package client.

    *etc* is a directory like /etc, whose package sources it uses; None for this machine's own.
    *memory* is a directory in which the client keeps its lists and cache of other sources than this
    machine's own.
    """

    program = ""
    configuration = ""
    """The file or directory in /etc that shows that a machine has this client."""
    refresh = ""
    """The command that brings its lists up to date."""

    def __init__(self, etc: str | None, memory: str) -> None:
        self._etc = etc
        self._memory = memory

    def offered(self) -> dict[str, str]:
        """Return the packages of kernel headers on offer, by the release of their kernel.

        A package is named as download() takes it. Raises KheadersfsError.
        """
        raise NotImplementedError

    def named(self, need: Need) -> str:
        """Return *need* as download() takes it."""
        raise NotImplementedError

    def download(self, package: str, directory: str) -> None:
        """Put the file of *package* somewhere below *directory*. Raises KheadersfsError."""
        raise NotImplementedError

    def _run(self, *words: str, directory: str | None = None) -> str:
        """Return the output of a command, *words*, that runs in *directory*.

        Raises KheadersfsError with the command's own message when it fails.
        """
        try:
            done = subprocess.run(
                words,
                check=False,
                cwd=directory,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise KheadersfsError(f"{words[0]}: cannot be run: {reason(error)}") from error
        if done.returncode:
            said = self._complaint(done.stderr) or self._complaint(done.stdout)
            raise KheadersfsError(
                f"{words[0]} failed: {said or f'with status {done.returncode}'}; see to that, "
                "and try again"
            )
        return done.stdout

    def _complaint(self, text: str) -> str:
        """Return the line of *text* that says what is wrong: the first error, else the last."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"(E|Err|Error|error)\b", line)]
        return next(iter(errors or lines[-1:]), "")[:_LONGEST_WORDS]


class Apt(Client):
    """The client of Debian and Ubuntu."""

    program = "apt-get"
    configuration = "apt"
    refresh = "apt-get update"

    def _options(self) -> list[str]:
        if self._etc is None:
            return []
        settings = {
            "Dir::Etc": f"{self._etc}/apt",
            "Dir::State::Lists": f"{self._memory}/lists",
            "Dir::Cache": f"{self._memory}/cache",
        }
        for directory in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self._memory, directory), exist_ok=True)
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]

    def offered(self) -> dict[str, str]:
        """See Client.offered."""
        if self._etc is not None:
            self._run("apt-get", "-qq", *self._options(), "update")
        listed = self._run("apt-cache", *self._options(), "pkgnames", "linux-headers-")
        names = {name.removeprefix("linux-headers-"): name for name in listed.split()}
        return {
            release: name
            for release, name in names.items()
            if release[0].isdigit() and "-" in release and "-common" not in release
        }

    def named(self, need: Need) -> str:
        """See Client.named."""
        return f"{need.name}={need.version}" if need.version else need.name

    def download(self, package: str, directory: str) -> None:
        """See Client.download."""
        self._run("apt-get", "-qq", *self._options(), "download", package, directory=directory)


class Dnf(Client):
    """The client of Fedora and of the distributions that are made from it."""

    program = "dnf"
    configuration = "yum.repos.d"
    refresh = "dnf makecache"

    def _options(self) -> list[str]:
        if self._etc is None:
            return ["-q"]
        settings = {
            "reposdir": f"{self._etc}/yum.repos.d",
            "varsdir": f"{self._etc}/dnf/vars",
            "cachedir": f"{self._memory}/cache",
        }
        return ["-q", *(f"--setopt={name}={value}" for name, value in settings.items())]

    def offered(self) -> dict[str, str]:
        """See Client.offered. The release of a variant of a kernel ends in its name, as in +rt."""
        form = r"%{name} %{version}-%{release}.%{arch}\n"
        listed = self._run("dnf", *self._options(), "repoquery", "--qf", form, "kernel*-devel")
        found: dict[str, str] = {}
        for line in listed.splitlines():
            name, _, version = line.partition(" ")
            variant = name.removeprefix("kernel-").removesuffix("devel").rstrip("-")
            if version:
                found[f"{version}+{variant}" if variant else version] = f"{name}-{version}"
        return found

    def named(self, need: Need) -> str:
        """See Client.named."""
        return f"{need.name}-{need.version}" if need.version else need.name

    def download(self, package: str, directory: str) -> None:
        """See Client.download."""
        before = set(os.listdir(directory))
        self._run("dnf", *self._options(), "download", "--destdir", directory, package)
        new = sorted(set(os.listdir(directory)) - before)
        level = "all" if self._wants_signatures() else "digest"
        for name in new:
            path = os.path.join(directory, name)
            self._run("rpmkeys", "--define", f"_pkgverify_level {level}", "--checksig", path)

    def _wants_signatures(self) -> bool:
        """Tell whether packages must be signed: unless a package source has ``gpgcheck=0``."""
        directory = f"{self._etc or '/etc'}/yum.repos.d"
        try:
            names = os.listdir(directory)
        except OSError:
            return True
        for name in names:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                if re.search(r"^\s*gpgcheck\s*=\s*(0|false|no)\s*$", file.read(), re.M | re.I):
                    return False
        return True


class Zypper(Client):
    """The client of openSUSE."""

    program = "zypper"
    configuration = "zypp"
    refresh = "zypper refresh"

    def _words(self) -> list[str]:
        words = ["zypper", "--non-interactive", "--xmlout"]
        if self._etc is not None:
            words += ["--reposd-dir", f"{self._etc}/zypp/repos.d"]
            words += ["--cache-dir", f"{self._memory}/cache"]
        return words

    def _complaint(self, text: str) -> str:
        """See Client._complaint. zypper's message is in an element of XML."""
        found = re.search(r'<message type="error">([^<]+)', text)
        return found[1][:_LONGEST_WORDS] if found else super()._complaint(text)

    def offered(self) -> dict[str, str]:
        """See Client.offered.

        A kernel's release is the version of its package and its flavour, as in 6.4.0-1.1-default.
        It may lack the last number of the version, which counts rebuilds of the package.
        """
        listed = self._run(*self._words(), "search", "--details", "kernel-*-devel")
        found: dict[str, str] = {}
        for package in ElementTree.fromstring(listed).iter("solvable"):
            name, edition = package.get("name", ""), package.get("edition", "")
            flavour = name.removeprefix("kernel-").removesuffix("-devel")
            version, _, build = edition.rpartition("-")
            for known in filter(None, (build.rpartition(".")[0], build)):
                found.setdefault(f"{version}-{known}-{flavour}", f"{name}={edition}")
        return found

    def named(self, need: Need) -> str:
        """See Client.named."""
        return f"{need.name}={need.version}" if need.version else need.name

    def download(self, package: str, directory: str) -> None:
        """See Client.download."""
        words = self._words()
        self._run(*words, "--pkg-cache-dir", directory, "download", package)


CLIENTS = {client.program: client for client in (Apt, Dnf, Zypper)}
"""The clients by the names of their programs, in the order in which they are looked for."""
