"""Packages of several kernels on their way into the cache: at once, and each by itself."""

from __future__ import annotations

import errno
import os
import select
from typing import TYPE_CHECKING, BinaryIO

import pytest

import kheadersfs
from kheadersfs.cli.keeping import KernelPackages, archives_in
from kheadersfs.cli.writing import writing_in_child
from kheadersfs.errors import DamagedArchive, KheadersfsError
from kheadersfs.limits import DEFAULT_LIMITS
from kheadersfs.packages.package import open_package
from tests.support import packages
from tests.support.mounting import HANGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kheadersfs.cli.progress import Progress
    from kheadersfs.pack.packing import Settings

NUMBERS = ("6.1.0-7", "6.1.0-8", "6.1.0-9")
RELEASE = "include/generated/utsrelease.h"


class Followed(KernelPackages):
    """Does something before it is packed, in the child that packs it."""

    before: Callable[[], None]

    def write(
        self,
        file: BinaryIO,
        settings: Settings,
        progress: Progress,
        arch: str | None = None,
        release: str | None = None,
    ) -> None:
        """See KernelPackages.write."""
        self.before()
        super().write(file, settings, progress, arch, release)


@pytest.fixture
def kernels(tmp_path: Path) -> Iterator[list[Followed]]:
    """Three kernels' pairs of packages, opened."""
    packages.require("dpkg-deb")
    made: list[Followed] = []
    for number in NUMBERS:
        halves = packages.debian_roots(tmp_path / number, number=number)
        files = [str(packages.make_deb(half, tmp_path)) for half in reversed(halves)]
        made.append(Followed(f"headers-{number}", [open_package(file) for file in files], []))
        made[-1].before = lambda: None
    yield made
    for kernel in made:
        for package in kernel.packages:
            package.close()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="processors: there is only one")
def test_two_kernels_are_packed_at_the_same_time(kernels: list[Followed], tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    pipes = [os.pipe(), os.pipe()]

    def meet(own: int) -> None:
        """Say that this one is here, and wait for the other one."""
        os.write(pipes[own][1], b".")
        poller = select.poll()
        poller.register(pipes[1 - own][0], select.POLLIN)
        if not poller.poll(HANGS * 1000):
            raise KheadersfsError("the other one is not packed")

    try:
        kernels[0].before, kernels[1].before = lambda: meet(0), lambda: meet(1)
        archives = list(archives_in(cache, kernels, DEFAULT_LIMITS))
    finally:
        for pipe in pipes:
            for descriptor in pipe:
                os.close(descriptor)
    for archive, number in zip(archives, NUMBERS, strict=True):
        with kheadersfs.open_archive(archive) as opened:
            assert f'"{number}-amd64"'.encode() in opened.read(RELEASE)
    before = [os.stat(archive) for archive in archives]
    assert list(archives_in(cache, kernels, DEFAULT_LIMITS)) == archives
    assert [os.stat(archive).st_ino for archive in archives] == [there.st_ino for there in before]


@pytest.mark.parametrize("wrong", range(len(NUMBERS)))
def test_a_kernel_that_cannot_be_packed_leaves_nothing_half_done(
    wrong: int, kernels: list[Followed], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"

    def fail() -> None:
        raise DamagedArchive("it is broken")

    kernels[wrong].before = fail
    with pytest.raises(DamagedArchive, match="it is broken"):
        list(archives_in(str(cache), kernels, DEFAULT_LIMITS))
    left = sorted(path.name for path in cache.iterdir())
    whole = [f"headers-{number}.tar.zst" for number in NUMBERS]
    assert left == sorted(f"{name}{end}" for name in whole if name in left for end in ("", ".tree"))
    assert whole[wrong] not in left


def test_packages_of_one_name_are_packed_one_after_the_other(
    kernels: list[Followed], tmp_path: Path
) -> None:
    alike = [kernel._replace(label="headers") for kernel in kernels]
    for kernel in alike:
        kernel.before = lambda: None
    found: list[bytes] = []
    for archive in archives_in(str(tmp_path / "cache"), alike, DEFAULT_LIMITS):
        with kheadersfs.open_archive(archive) as opened:
            found.append(opened.read(RELEASE))
    assert [number.encode() in text for number, text in zip(NUMBERS, found, strict=True)] == (
        [True] * len(NUMBERS)
    )


def test_a_child_cannot_write_to_what_another_one_writes_to(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"all of it")

    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    with writing_in_child("one", lambda: None, first, write, DEFAULT_LIMITS) as writer:
        other = writer.descriptor

        def intrude(file: BinaryIO) -> None:
            try:
                os.write(other, b"something else")
            except OSError as error:
                if error.errno == errno.EBADF:
                    write(file)

        with writing_in_child(
            "two", lambda: None, second, intrude, DEFAULT_LIMITS, [other]
        ) as intruder:
            intruder.child.result()
        writer.child.result()
    for path in (first, second):
        with open(path, "rb") as file:
            assert file.read() == b"all of it"
