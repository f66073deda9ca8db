"""mount(8), fstab and mount -a, through mount.fuse.kheadersfs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import KCONFIG
from tests.support.mounting import Outcome, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine import Machine

HELPER = Path(sys.executable).parent / "mount.fuse.kheadersfs"
HEADER = "include/linux/kconfig.h"


@pytest.fixture
def place(machine: Machine, tmp_path: Path) -> Iterator[Path]:
    """A directory on a machine whose mount(8) has our helper. At the end it must be empty."""
    if not HELPER.exists():
        pytest.skip(f"not installed: {HELPER}, which pip makes of pyproject.toml")
    machine.namespace.run("ln", "-s", HELPER, "/sbin/mount.fuse.kheadersfs")
    directory = tmp_path / "headers"
    directory.mkdir()
    yield directory
    assert os.listdir(directory) == []


def mount(machine: Machine, *words: str | Path) -> Outcome:
    return machine.namespace.outcome("mount", "-t", "fuse.kheadersfs", *words)


def unmount(machine: Machine, place: Path) -> None:
    machine.namespace.run("umount", place)
    wait_until(lambda: machine.mounts() == [], "nothing is mounted any more")


def write_fstab(machine: Machine, *lines: str) -> None:
    """Give the machine an fstab of its own."""
    fstab = machine.log.parent / "fstab"
    fstab.write_text("".join(f"{line} 0 0\n" for line in lines))
    machine.namespace.run("mount", "--bind", fstab, "/etc/fstab")


def test_mount_8_mounts_and_umount_8_unmounts(machine: Machine, place: Path) -> None:
    outcome = mount(machine, "-o", f"log={machine.log}", machine.archives.own, place)
    assert outcome == Outcome(0, "", "")
    assert machine.namespace.run("cat", place / HEADER) == KCONFIG
    listed = machine.namespace.run("mount", "-t", "fuse.kheadersfs")
    assert f"{machine.archives.own} on {place} type fuse.kheadersfs (ro," in listed
    unmount(machine, place)


def test_for_none_the_running_kernels_headers_are_found(machine: Machine, place: Path) -> None:
    machine.install()
    assert mount(machine, "none", place).status == 0
    assert machine.namespace.run("cat", place / HEADER) == KCONFIG
    unmount(machine, place)


def test_fstab_can_say_everything(machine: Machine, place: Path) -> None:
    options = (
        f"ro,noauto,nofail,_netdev,x-systemd.automount,comment=headers,allow_other,nonempty,uid=3,"
        f"gid=4,cache=16M,idle_timeout=600,prefetch,strict,log={machine.log}"
    )
    write_fstab(machine, f"{machine.archives.own} {place} fuse.kheadersfs {options}")
    machine.namespace.run("mount", place)
    owner = machine.namespace.run("stat", "--format=%u:%g", place / HEADER)
    assert owner == "3:4\n"
    assert "allow_other" in machine.namespace.run("findmnt", "--output=OPTIONS", place)
    unmount(machine, place)


def test_mount_a_mounts_what_is_in_fstab_once(machine: Machine, place: Path) -> None:
    machine.install()
    other = place.parent / "others"
    other.mkdir()
    write_fstab(
        machine,
        f"none {place} fuse.kheadersfs defaults",
        f"{machine.archives.others} {other} fuse.kheadersfs allow_other",
    )
    for _ in range(2):
        assert machine.namespace.outcome("mount", "-a") == Outcome(0, "", "")
        assert sorted(machine.mounts()) == [str(place), str(other)]
    assert machine.namespace.run("cat", place / HEADER, other / HEADER) == 2 * KCONFIG
    machine.namespace.run("umount", other)
    unmount(machine, place)


def test_an_idle_mount_of_fstab_goes_away(machine: Machine, place: Path) -> None:
    write_fstab(machine, f"{machine.archives.own} {place} fuse.kheadersfs idle_timeout=0.3")
    machine.namespace.run("mount", place)
    wait_until(lambda: machine.mounts() == [], "it was unmounted")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("-o", "frobnicate", "OWN", "PLACE"), 2, "-o frobnicate: no such option"),
        (("-o", "idle_timeout=soon", "OWN", "PLACE"), 2, "-o idle_timeout=soon: give seconds"),
        (("-o", "strict=yes", "OWN", "PLACE"), 2, "-o strict=yes: no such option"),
        (("/absent", "PLACE"), 11, "/absent: cannot open"),
        (("none", "PLACE"), 11, "no headers of"),
    ],
)
def test_what_is_wrong_is_said_through_mount_8(
    machine: Machine, place: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    words = {"OWN": machine.archives.own, "PLACE": place}
    outcome = mount(machine, *(words.get(word, word) for word in arguments))
    assert (outcome.status, outcome.output) == (status, "")
    assert outcome.errors.startswith(f"kheadersfs: {message}")
    assert outcome.errors.count("\n") == 1
    assert machine.mounts() == []


def test_sloppy_leaves_out_what_does_not_exist(machine: Machine, place: Path) -> None:
    assert mount(machine, "-s", "-o", "frobnicate,uid=3", machine.archives.own, place).status == 0
    assert machine.namespace.run("stat", "--format=%u", place / HEADER) == "3\n"
    unmount(machine, place)


def test_a_fake_mount_mounts_nothing(machine: Machine, place: Path) -> None:
    assert mount(machine, "-f", machine.archives.own, place) == Outcome(0, "", "")
    assert machine.mounts() == []


def test_the_helper_takes_what_mount_8_documents(machine: Machine, place: Path) -> None:
    words = (machine.archives.own, place, "-sfnv", "-o", "rw,noatime", "-t", "fuse.kheadersfs")
    assert machine.namespace.outcome(HELPER, *words) == Outcome(0, "", "")
