"""Packages that are merged: without names as the kernels that they are, or nothing is written."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support import packages
from tests.support.mounting import Outcome, one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.namespace import Namespace

    Words = Callable[[Path, Path], list[str | Path]]
    """Makes the arguments of merge, of a directory of packages and one to make more in."""

RELEASES = ("6.1.0-7-amd64", "6.1.0-8-amd64")
SEVEN, EIGHT = (f"linux-headers-{release}_{packages.VERSION}_amd64.deb" for release in RELEASES)
BEFORE = b"as it was"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with Debian's packages of two kernels."""
    packages.require("dpkg-deb")
    directory = tmp_path_factory.mktemp("several")
    for release in RELEASES:
        number = release.removesuffix("-amd64")
        for half in packages.debian_roots(tmp_path_factory.mktemp(number), number=number):
            packages.make_deb(half, directory)
    return directory


@pytest.mark.parametrize(
    "name", [lambda directory: [directory], lambda directory: sorted(directory.iterdir())]
)
def test_packages_without_names_are_as_many_kernels_as_there_are(
    name: Callable[[Path], list[Path]], machine: Namespace, several: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tar.zst"
    assert machine.kheadersfs("merge", *name(several), "-o", out) == Outcome(0, "", "")
    told = json.loads(machine.kheadersfs("info", "--json", out).output)
    assert told["kernels"] == [
        {"name": release, "release": release, "arch": "x86"} for release in RELEASES
    ]
    for release, package in zip(RELEASES, (SEVEN, EIGHT), strict=True):
        alone = machine.kheadersfs("ls", several / package)
        assert machine.kheadersfs("ls", "--release", release, out) == alone


def arm64_beside(several: Path, directory: Path) -> list[str | Path]:
    """Name an amd64 kernel, and the package of an arm64 one."""
    halves = packages.debian_roots(directory / "roots", "arm64")
    header = next(halves[1].root.glob("usr/src/*/include/generated/autoconf.h"))
    header.write_text(header.read_text().replace("x86", "arm64").replace("X86", "ARM64"))
    return [several / SEVEN, *(packages.make_deb(half, directory) for half in halves)]


def a_copy_beside(several: Path, directory: Path) -> list[str | Path]:
    """Name a package, and a copy of it."""
    return [several / SEVEN, shutil.copy(several / SEVEN, directory)]


def cut_off(several: Path, directory: Path) -> list[str | Path]:
    """Name the two packages of a kernel, of which one has lost its end."""
    for package in (SEVEN, f"linux-headers-6.1.0-7-common_{packages.VERSION}_all.deb"):
        content = (several / package).read_bytes()
        (directory / package).write_bytes(content[:-200] if package == SEVEN else content)
    return [directory / SEVEN]


@pytest.mark.parametrize(
    ("make_words", "status", "message"),
    [
        (a_copy_beside, 2, "is there twice; name it once"),
        (lambda d, _: [d / SEVEN, f"{RELEASES[0]}={d / SEVEN}"], 2, "another name: NAME=IN"),
        (lambda d, _: [f"one={d / SEVEN}", f"one={d / EIGHT}"], 2, "packages of several kernels"),
        (lambda d, _: [f"one={d}"], 2, "packages of several kernels"),
        (arm64_beside, 2, "several architectures (arm64, x86)"),
        (cut_off, 13, SEVEN),
        (lambda d, _: [d, "--without", "9.*"], 16, f"there are {', '.join(RELEASES)}"),
    ],
)
def test_bad_packages_leave_out_as_it_was(
    make_words: Words,
    status: int,
    message: str,
    machine: Namespace,
    several: Path,
    tmp_path: Path,
) -> None:
    directory, out = tmp_path / "more", tmp_path / "out/out.tar.zst"
    directory.mkdir()
    out.parent.mkdir()
    out.write_bytes(BEFORE)
    outcome = machine.kheadersfs("merge", *make_words(several, directory), "-o", out)
    assert outcome.status == status, outcome
    assert message in one_line(outcome)
    assert out.read_bytes() == BEFORE
    assert os.listdir(out.parent) == [out.name]


def test_variables_and_flags_are_those_of_a_package_that_is_mounted(
    machine: Namespace, several: Path, tmp_path: Path
) -> None:
    pair = [several / f"linux-headers-6.1.0-7-common_{packages.VERSION}_all.deb", several / SEVEN]
    both = [word for path in pair for word in ("--archive", path)]
    outcome = machine.kheadersfs("cflags", *both)
    assert (outcome.status, "is mounted nowhere" in one_line(outcome)) == (10, True)
    assert machine.kheadersfs("mount", *both, tmp_path) == Outcome(0, "", "")
    try:
        for command in ("env", "cflags"):
            there = machine.kheadersfs(command, tmp_path)
            assert there.status == 0, there
            assert machine.kheadersfs(command, *both) == there
            assert machine.kheadersfs(command, "--release", RELEASES[0], pair[0]) == there
        other = machine.kheadersfs("env", "--release", RELEASES[1], pair[0])
        assert (other.status, f"there is {RELEASES[0]}" in one_line(other)) == (16, True)
    finally:
        assert machine.kheadersfs("umount", tmp_path).status == 0
