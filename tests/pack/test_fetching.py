"""Headers fetched by the package clients of distributions, from real repositories on this disk."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from kheadersfs.errors import ArchiveUnavailable
from kheadersfs.kernel.cache import ArchiveCache
from kheadersfs.kernel.discovery import fetched_archive, find_archive
from kheadersfs.kernel.release import Kernel
from tests.support import packages
from tests.support.mounting import PATIENCE, Outcome, command_line, one_line, run_command
from tests.support.namespace import without_headers

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "6.1.0-7-amd64"
CONFIGURATION = """\
Dir "{0}";
Dir::Etc "{0}/etc/apt";
Dir::State::status "{0}/status";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


class Apt:
    """A machine's apt, all of it below *directory*, with what its ``packages`` are."""

    def __init__(self, directory: Path) -> None:
        packages.require("apt-get", "dpkg-deb", "dpkg-scanpackages")
        self.etc = directory / "etc"
        self.repository = directory / "repository"
        for name in (
            "etc/apt/preferences.d",
            "etc/apt/apt.conf.d",
            "var/lib/apt/lists/partial",
            "repository",
            "tmp",
        ):
            (directory / name).mkdir(parents=True)
        (directory / "var/cache/apt/archives/partial").mkdir(parents=True)
        (directory / "status").touch()
        self._configuration = directory / "apt.conf"
        self._configuration.write_text(CONFIGURATION.format(directory))
        self.environment = {"APT_CONFIG": str(self._configuration), "TMPDIR": f"{directory}/tmp"}
        self.scratch = directory / "tmp"
        self.offer_from(f"file:{self.repository}")

    def offer_from(self, address: str) -> None:
        """Let the packages come from *address*."""
        (self.etc / "apt/sources.list").write_text(f"deb [trusted=yes] {address} ./\n")

    def add(self, halves: list[packages.Half]) -> None:
        """Offer packages of *halves*, and know of it."""
        for half in halves:
            packages.make_deb(half, self.repository)
        index = subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "."],
            cwd=self.repository,
            check=True,
            capture_output=True,
        ).stdout
        (self.repository / "Packages").write_bytes(index)
        self.update()

    def update(self) -> None:
        """Bring the lists up to date."""
        subprocess.run(
            ["apt-get", "-qq", "update"], check=True, env={**os.environ, **self.environment}
        )

    def fetch(self, *arguments: str | Path) -> Outcome:
        """Run ``kheadersfs fetch``. It leaves no scratch directory, however it ends."""
        outcome = run_command("fetch", "--client", "apt-get", *arguments, **self.environment)
        assert list(self.scratch.iterdir()) == []
        return outcome


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    apt = Apt(tmp_path / "machine")
    apt.add(packages.debian_roots(tmp_path / "roots"))
    return apt


def test_apt_fetches_both_halves(apt: Apt, tmp_path: Path) -> None:
    out = tmp_path / "out.tar.zst"
    told = f"{out}: has the headers of {RELEASE} now\n"
    assert apt.fetch(RELEASE, "-o", out) == Outcome(0, told, "")
    with kheadersfs.open_archive(out) as archive:
        assert archive.release == RELEASE
        assert archive.read("include/linux/sched.h").endswith(b"struct task_struct;\n")


def test_what_there_is_instead_of_an_unknown_release_is_listed(apt: Apt, tmp_path: Path) -> None:
    out = tmp_path / "out.tar.zst"
    outcome = apt.fetch("6.1.0-8-amd64", "-o", out)
    assert outcome.status == 11
    assert one_line(outcome).endswith(
        f"6.1.0-8-amd64: apt-get knows no package with its headers; it has those of {RELEASE}\n"
    )
    assert not out.exists()


def test_a_package_that_has_changed_since_it_was_listed_is_not_taken(
    apt: Apt, tmp_path: Path
) -> None:
    """It is the client that checks."""
    out = tmp_path / "out.tar.zst"
    out.write_text("what was there")
    (package,) = apt.repository.glob("*-amd64_*.deb")
    package.write_bytes(package.read_bytes() + b"\n")
    outcome = apt.fetch(RELEASE, "-o", out)
    assert outcome.status == 1
    assert "apt-get failed: E: " in one_line(outcome)
    assert out.read_text() == "what was there"


def test_without_the_network_the_client_says_what_is_wrong(apt: Apt, tmp_path: Path) -> None:
    for package in apt.repository.glob("*.deb"):
        package.unlink()
    outcome = apt.fetch(RELEASE, "-o", tmp_path / "out.tar.zst")
    assert outcome.status == 1
    assert re.search(r"apt-get failed: E: Failed to fetch .*; see to that", one_line(outcome))


def test_the_sources_of_another_machine_are_used(apt: Apt, tmp_path: Path) -> None:
    """As in a container that has its host's /etc."""
    shutil.rmtree(tmp_path / "machine/var/lib/apt/lists")
    apt.environment.pop("APT_CONFIG")
    out = tmp_path / "out.tar.zst"
    assert apt.fetch("--etc", apt.etc, RELEASE, "-o", out).status == 0, apt
    with kheadersfs.open_archive(out) as archive:
        assert archive.release == RELEASE


def test_the_sources_of_another_machine_may_be_at_a_relative_path(
    apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(apt.etc.parent)
    apt.environment.pop("APT_CONFIG")
    out = tmp_path / "out.tar.zst"
    told = f"{out}: has the headers of {RELEASE} now\n"
    assert apt.fetch("--etc", apt.etc.name, RELEASE, "-o", out) == Outcome(0, told, "")


def test_another_machine_that_is_not_there_is_named(apt: Apt, tmp_path: Path) -> None:
    outcome = apt.fetch("--etc", tmp_path / "none", RELEASE, "-o", tmp_path / "out.tar.zst")
    assert outcome.status == 11
    assert one_line(outcome).endswith("none: no such directory; name the /etc of another machine\n")


def test_a_client_that_knows_no_kernel_is_to_bring_its_lists_up_to_date(tmp_path: Path) -> None:
    packages.require("dnf")
    (tmp_path / "etc/yum.repos.d").mkdir(parents=True)
    outcome = run_command(
        *("fetch", "--client", "dnf", "--etc", tmp_path / "etc", RELEASE),
        *("-o", tmp_path / "out.tar.zst"),
    )
    assert outcome.status == 11
    assert one_line(outcome).endswith("bring its lists up to date: dnf makecache\n")


def test_an_interrupt_leaves_nothing(apt: Apt, tmp_path: Path) -> None:
    """The client waits for a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        apt.offer_from(f"http://127.0.0.1:{server.getsockname()[1]}/")
        apt.environment.pop("APT_CONFIG")
        out = tmp_path / "out.tar.zst"
        words = command_line("fetch", "--etc", apt.etc, RELEASE, "-o", out)
        with subprocess.Popen(
            words,
            env={**os.environ, **apt.environment, "no_proxy": "*"},
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            connection, _ = server.accept()
            with connection:
                os.killpg(process.pid, signal.SIGINT)
                _, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (130, b"")
        assert list(apt.scratch.iterdir()) == []
        assert not out.exists()


def test_what_is_fetched_for_the_machine_is_found_by_run(tmp_path: Path) -> None:
    release = os.uname().release
    number, dash, flavour = release.rpartition("-")
    if not dash or not re.fullmatch(r"[a-z0-9.+-]+", release):
        pytest.skip("kernel: its release is no name of a Debian package")
    with without_headers() as machine:
        apt = Apt(tmp_path / "machine")
        apt.add(packages.debian_roots(tmp_path / "roots", flavour, number))
        found = machine.outcome(*command_line("run", "true"))
        assert f"download them with: kheadersfs fetch {release};" in one_line(found)
        closed = ("sh", "-c", 'umask 077 && exec "$@"', "sh")
        fetched = machine.outcome(*closed, *command_line("fetch"), **apt.environment)
        place = f"/usr/lib/kheaders/{release}.tar.zst"
        assert fetched == Outcome(0, f"{place}: has the headers of {release} now\n", "")
        assert machine.run("stat", "--format=%a", os.path.dirname(place), place) == "755\n644\n"
        told = machine.outcome(*command_line("run", "sh", "-c", "echo $KHEADERS_RELEASE"))
        assert told == Outcome(0, f"{release}\n", "")


def test_what_a_user_fetches_is_found_by_run(tmp_path: Path) -> None:
    """In the user's cache."""
    release = "6.1.0-7-amd64"
    cache = ArchiveCache(str(tmp_path / "cache"), ".tar.zst", lambda _: "", lambda *_: None)
    path = fetched_archive(release, cache.directory)
    os.makedirs(os.path.dirname(path), mode=0o700)
    with open(path, "wb"):
        pass
    found = find_archive(Kernel(release, "x86"), cache, str(tmp_path / "root"), "false")
    assert found.path == path
    os.chmod(os.path.dirname(path), 0o777)
    with pytest.raises(ArchiveUnavailable, match="can be written by others"):
        find_archive(Kernel(release, "x86"), cache, str(tmp_path / "root"), "false")


def test_dnf_fetches_what_its_repositories_have(tmp_path: Path) -> None:
    packages.require("dnf", "createrepo_c", "rpmbuild", "rpmkeys")
    if subprocess.run(["dnf", "download", "--help"], check=False, capture_output=True).returncode:
        pytest.skip("not installed: the download command of dnf")
    release = "6.1.7-2.x86_64"
    repository, etc = tmp_path / "repository", tmp_path / "etc"
    repository.mkdir()
    package = packages.make_rpm(packages.fedora_root(tmp_path / "root", release), repository)
    subprocess.run(["createrepo_c", "-q", repository], check=True)
    (etc / "yum.repos.d").mkdir(parents=True)
    source = etc / "yum.repos.d/local.repo"
    source.write_text(f"[local]\nname=local\nbaseurl=file://{repository}\ngpgcheck=0\n")
    out = tmp_path / "out.tar.xz"
    assert run_command("fetch", "--etc", etc, release, "-o", out).status == 0
    with kheadersfs.open_archive(out) as archive:
        assert archive.release == release
    unknown = run_command("fetch", "--etc", etc, "6.1.8-1.x86_64", "-o", tmp_path / "none.tar.xz")
    assert unknown.status == 11
    assert f"it has those of {release}" in one_line(unknown)
    source.write_text(source.read_text().replace("gpgcheck=0", "gpgcheck=1"))
    unsigned = run_command("fetch", "--etc", etc, release, "-o", tmp_path / "none.tar.xz")
    assert unsigned.status == 1
    assert f"{package.name}: digests OK" not in one_line(unsigned)
    assert "rpmkeys failed" in one_line(unsigned)
    assert not (tmp_path / "none.tar.xz").exists()
