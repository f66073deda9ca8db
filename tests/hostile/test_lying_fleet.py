"""Indexes of several kernels that lie of a part, checksums right: an error, or the truth."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import KheadersfsError
from kheadersfs.reader import HeaderArchive
from tests.attacks.fleet_lies import Versions, with_versions
from tests.support.mounting import Outcome, one_line, run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KERNELS = ("one", "three", "two")
SHARED, OWN = b"include/shared.h", b"include/own.h"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three kernels with one header of each its own, of the same size, and one in common."""
    top = tmp_path_factory.mktemp("fleet")
    words = []
    for name in KERNELS:
        (top / name / "include").mkdir(parents=True)
        (top / name / "include/own.h").write_text(f"{name:5}\n")
        (top / name / "include/shared.h").write_text("shared\n" * 100)
        options = ["--sort=name", "--mtime=@1000000000", "-C", str(top / name)]
        subprocess.run(["tar", "-cf", top / f"{name}.tar", *options, "."], check=True)
        words.append(f"{name}={top / name}.tar")
    assert run_command("merge", *words, "-o", top / "fleet.tar.xz") == Outcome(0, "", "")
    return (top / "fleet.tar.xz").read_bytes()


def swapped(versions: Versions) -> Versions:
    """Give each kernel another one's header."""
    there = versions[OWN]
    members = [version.members for version in there]
    moved = [v._replace(members=m) for v, m in zip(there, members[1:] + members[:1], strict=True)]
    return {**versions, OWN: moved}


def moved(versions: Versions) -> Versions:
    """Let all content be where the first kernel's is."""
    start = versions[OWN][0].start
    return {**versions, OWN: [version._replace(start=start) for version in versions[OWN]]}


def dropped(versions: Versions) -> Versions:
    """Do not say that a kernel has a header."""
    return {**versions, OWN: versions[OWN][1:]}


def invented(versions: Versions) -> Versions:
    """Say that all kernels have a header that there is not."""
    return {**versions, b"include/new.h": [versions[SHARED][0]]}


def older(versions: Versions) -> Versions:
    return {**versions, OWN: [version._replace(mtime=1) for version in versions[OWN]]}


def longer(versions: Versions) -> Versions:
    return {**versions, OWN: [version._replace(size=7) for version in versions[OWN]]}


def test_the_truth_is_read(packed: bytes) -> None:
    with HeaderArchive(Archive(BytesSource(with_versions(packed, dict)))) as archive:
        for name in KERNELS:
            assert archive.read(f"{name}/include/own.h").split() == [name.encode()]
            assert archive.entry(f"{name}/include/shared.h").links == len(KERNELS)


@pytest.mark.parametrize("lie", [swapped, moved, dropped, invented, older, longer])
def test_a_lie_about_a_kernel_gives_no_other_bytes(
    lie: Callable[[Versions], Versions], packed: bytes, tmp_path: Path
) -> None:
    lying = with_versions(packed, lie)
    with HeaderArchive(Archive(BytesSource(lying))) as archive:
        for name in KERNELS:
            try:
                content = archive.read(f"{name}/include/own.h")
            except KheadersfsError:
                continue
            assert content.split() == [name.encode()]
    (tmp_path / "lying.tar.xz").write_bytes(lying)
    assert run_command("verify", tmp_path / "lying.tar.xz").status == 13
    output = tmp_path / "out.tar.xz"
    outcome = run_command("merge", tmp_path / "lying.tar.xz", "-o", output)
    assert outcome.status == 13
    assert not output.exists()


def shared_by_fewer(versions: Versions) -> Versions:
    """Say that a header is not in a kernel that has it by a hard link."""
    only = versions[SHARED][0]
    return {**versions, SHARED: [only._replace(members=0b011)]}


def test_further_names_that_are_kept_back_are_found_by_verify_and_merge(
    packed: bytes, tmp_path: Path
) -> None:
    lying, output = tmp_path / "lying.tar.xz", tmp_path / "out.tar.xz"
    lying.write_bytes(with_versions(packed, shared_by_fewer))
    assert run_command("verify", lying).status == 13
    outcome = run_command("merge", lying, "-o", output)
    assert (outcome.status, str(lying) in one_line(outcome)) == (13, True)
    assert not output.exists()
