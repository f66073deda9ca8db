"""The distribution's own packages, and what may be done by who reads packages."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, BinaryIO

import pytest

from kheadersfs.cli import keeping
from kheadersfs.cli import packages as commands
from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.packages import deb
from kheadersfs.packages.facts import Facts
from kheadersfs.packages.package import open_package
from tests.support import packages
from tests.support.mounting import Outcome, run_command

if TYPE_CHECKING:
    from pathlib import Path


def download(series: str, directory: Path) -> list[Path]:
    """Download the two packages of a series' newest kernel, or skip."""
    packages.require("apt-get", "apt-cache", "dpkg")
    arch = packages.native_architecture()
    listed = subprocess.run(
        ["apt-cache", "pkgnames", f"linux-headers-{series}."],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    common = [name for name in listed if name.endswith("-common")]
    if not common:
        pytest.skip(f"kernel: apt knows no headers of {series} here")
    newest = max(common, key=len)
    names = [newest, f"{newest.removesuffix('common')}{arch}"]
    words = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names]
    if subprocess.run(words, cwd=directory, check=False, capture_output=True).returncode:
        pytest.skip(f"kernel: {newest} cannot be downloaded here")
    return sorted(directory.glob("*.deb"))


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_debians_pair_is_packed_like_what_dpkg_unpacks(series: str, tmp_path: Path) -> None:
    pair = download(series, tmp_path)
    for package in pair:
        subprocess.run(["dpkg", "-x", package, tmp_path / "root"], check=True)
    of_tree, of_packages = tmp_path / "tree.tar", tmp_path / "packages.tar"
    assert run_command("pack", "--objtree", tmp_path / "root", "-o", of_tree).status == 0
    assert run_command("pack", *pair, "-o", of_packages) == Outcome(0, "", "")
    assert of_packages.read_bytes() == of_tree.read_bytes()


def opened() -> str:
    """Say whether this process may open a file."""
    try:
        os.close(os.open("/etc/passwd", os.O_RDONLY))
    except OSError as error:
        return f"errno-{error.errno}"
    return "may-open"


def test_who_reads_a_package_may_open_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages.require("dpkg-deb")
    path = str(packages.make_deb(packages.debian_roots(tmp_path / "roots")[1], tmp_path))
    assert opened() == "may-open"

    def look(_control: object) -> Facts:
        return Facts(opened(), "1", "all", "label", ())

    def write(_packages: object, _missing: object, file: BinaryIO, *_rest: object) -> None:
        file.write(opened().encode())

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(deb, "read_facts", look)
        (facts,) = commands._ask([open_package(path)])
    assert facts.name.startswith("errno-")
    monkeypatch.setattr(keeping, "pack_packages", write)
    settings = keeping.quick_settings(DEFAULT_LIMITS)
    commands.pack_to([path], str(out), None, settings)
    assert out.read_text().startswith("errno-")
