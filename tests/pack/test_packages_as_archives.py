"""Packages where an archive is taken: they are packed into the cache, once."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support import packages
from tests.support.mounting import Outcome, command_line, one_line
from tests.support.namespace import without_headers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.namespace import Namespace

RELEASE = "6.1.0-7-amd64"
CACHE = "/var/cache/kheadersfs"
UTSRELEASE = f'#define UTS_RELEASE "{RELEASE}"\n'


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Debian's two packages of a kernel, the sources' first."""
    packages.require("dpkg-deb")
    directory = tmp_path_factory.mktemp("pair")
    halves = packages.debian_roots(tmp_path_factory.mktemp("roots"))
    return [packages.make_deb(half, directory) for half in halves]


def test_commands_that_read_take_a_package(machine: Namespace, pair: list[Path]) -> None:
    listed = machine.kheadersfs("ls", pair[1], "include/generated/utsrelease.h")
    assert listed == Outcome(0, "include/generated/utsrelease.h\n", "")
    read = machine.kheadersfs("cat", pair[0].parent, "include/generated/utsrelease.h")
    assert read == Outcome(0, UTSRELEASE, "")
    both = [word for path in pair for word in ("--archive", path)]
    told = machine.kheadersfs("info", "--json", *both)
    assert told.status == 0, told.errors
    assert json.loads(told.output)["release"] == RELEASE
    verified = machine.kheadersfs("verify", pair[1])
    assert verified.status == 0
    assert verified.output.startswith(f"{pair[1]}: good: ")


def test_packages_are_packed_again_when_their_bytes_change(
    machine: Namespace, pair: list[Path], tmp_path: Path
) -> None:
    copies = [tmp_path / path.name for path in pair]
    for copy, path in zip(copies, pair, strict=True):
        copy.write_bytes(path.read_bytes())
    archive = machine.path(f"{CACHE}/{pair[1].stem}.tar.zst")
    assert machine.kheadersfs("ls", copies[1]).status == 0
    before = archive.stat()
    assert machine.kheadersfs("ls", copies[1]).status == 0
    assert archive.stat() == before
    other = packages.debian_roots(tmp_path / "roots")[1]
    header = next(other.root.glob("usr/src/*/include/generated/autoconf.h"))
    header.write_text(header.read_text() + "#define CONFIG_HZ 250\n")
    packages.make_deb(other, tmp_path)
    read = machine.kheadersfs("cat", copies[1], "include/generated/autoconf.h")
    assert "CONFIG_HZ 250" in read.output
    assert archive.stat().st_ino != before.st_ino


def test_one_command_runs_with_two_packages(machine: Namespace, pair: list[Path]) -> None:
    both = [word for path in pair for word in ("--archive", path)]
    script = 'cat "$KHEADERS/include/generated/utsrelease.h"; echo "$KHEADERS_RELEASE"'
    ran = machine.kheadersfs("run", *both, "--", "sh", "-c", script)
    assert ran == Outcome(0, f"{UTSRELEASE}{RELEASE}\n", "")


def test_each_kernel_of_a_directory_is_run(machine: Namespace, tmp_path: Path) -> None:
    for number in ("6.1.0-7", "6.1.0-8"):
        for half in packages.debian_roots(tmp_path / number, number=number):
            packages.make_deb(half, tmp_path)
    script = 'echo "is $KHEADERS_RELEASE"'
    ran = machine.kheadersfs("run", "--each", "--archive", tmp_path, "--", "sh", "-c", script)
    assert ran.status == 0, ran
    assert {line for line in ran.output.splitlines() if line.startswith("is ")} == {
        "is 6.1.0-7-amd64",
        "is 6.1.0-8-amd64",
    }
    refused = machine.kheadersfs("run", "--archive", tmp_path, "--", "true")
    assert refused.status == 2
    assert "has packages of several kernels" in one_line(refused)


def test_archives_that_are_no_packages_still_need_each(
    machine: Namespace, pair: list[Path], small_archive: Path
) -> None:
    words = ("--archive", small_archive, "--archive", pair[1], "--", "true")
    assert "several archives need --each" in one_line(machine.kheadersfs("run", *words))


def test_a_package_is_mounted(machine: Namespace, pair: list[Path], tmp_path: Path) -> None:
    place = tmp_path / "headers"
    place.mkdir()
    assert machine.kheadersfs("mount", pair[1], place) == Outcome(0, "", "")
    try:
        assert machine.run("cat", place / "include/generated/utsrelease.h") == UTSRELEASE
        status = machine.kheadersfs("status", "--json", place)
        assert str(pair[1]) in status.output
        flags = machine.outcome(*command_line("cflags", place))
        assert f"{place}/arch/x86/include" in flags.output
    finally:
        assert machine.kheadersfs("umount", place).status == 0


def test_a_digest_is_not_for_a_package(machine: Namespace, pair: list[Path]) -> None:
    words = ("run", "--digest", f"sha256:{'0' * 64}", "--archive", pair[1], "--", "true")
    outcome = machine.kheadersfs(*words)
    assert outcome.status == 2
    assert "a digest or a key is for an archive" in one_line(outcome)


def test_packages_are_merged_by_name(
    machine: Namespace, pair: list[Path], small_archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tar.zst"
    words = [f"6.1={pair[0]}", f"6.1={pair[1]}", f"small={small_archive}"]
    assert machine.kheadersfs("merge", *words, "-o", out) == Outcome(0, "", "")
    read = machine.kheadersfs("cat", out, "6.1/include/generated/utsrelease.h")
    assert read == Outcome(0, UTSRELEASE, "")
    twice = machine.kheadersfs("merge", f"6.1={pair[1]}", f"6.1={small_archive}", "-o", out)
    assert "is the name of" in one_line(twice)


def test_what_is_packed_of_packages_is_shown_bounded_and_cleared(
    machine: Namespace, pair: list[Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for half in packages.debian_roots(tmp_path / "roots", number="6.1.0-9"):
        packages.make_deb(half, other)
    names = [f"{pair[1].stem}.tar.zst", pair[1].stem.replace("6.1.0-7", "6.1.0-9") + ".tar.zst"]

    def packed() -> list[str]:
        told = json.loads(machine.kheadersfs("cache", "--json").output)["packed"]
        assert told["directory"] == CACHE
        assert told["size"] == sum(archive["size"] for archive in told["archives"])
        return [archive["name"] for archive in told["archives"]]

    assert machine.kheadersfs("cache", "--clear").status == 0
    assert machine.kheadersfs("ls", pair[1]).status == 0
    assert packed() == names[:1]
    assert f"{CACHE}: 1 packed" in machine.kheadersfs("cache").output
    os.utime(machine.path(f"{CACHE}/{names[0]}.tree"), (1, 1))
    assert machine.outcome(*command_line("ls", other), KHEADERSFS_CACHE_SIZE="1").status == 0
    assert packed() == names[1:]
    assert machine.kheadersfs("cache", "--clear").status == 0
    assert packed() == []
    assert machine.kheadersfs("ls", other).status == 0


def test_a_cache_that_cannot_be_written_is_named(pair: list[Path]) -> None:
    with without_headers("mount -o remount,ro /var/cache\n") as machine:
        outcome = machine.kheadersfs("ls", pair[1])
        assert outcome.status == 11
        assert f"cannot keep the headers of {pair[1]} in {CACHE}" in one_line(outcome)
