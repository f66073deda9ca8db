"""What can be wrong where neither archive nor mountpoint is named: one line, and nothing left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import NOBODY, PLACE, RELEASE
from tests.support.mounting import command_line, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine import Machine


@pytest.mark.parametrize("command", [("mount",), ("run", "true")], ids=lambda words: words[0])
def test_without_any_headers_every_place_is_named_and_the_way_to_make_some(
    machine: Machine, command: tuple[str, ...]
) -> None:
    outcome = machine.namespace.kheadersfs(*command)
    message = one_line(outcome)
    assert outcome.status == 11
    for place in (
        "/sys/kernel/kheaders.tar.xz",
        "modprobe kheaders",
        f"/usr/lib/kheaders/{RELEASE}.",
        f"/boot/kheaders-{RELEASE}.",
        PLACE,
        f"/usr/src/linux-headers-{RELEASE}",
        f"/usr/src/kernels/{RELEASE}",
        "kheadersfs pack --srctree",
    ):
        assert place in message
    assert machine.modules() == []


def test_another_kernels_headers_are_refused_there(machine: Machine, tmp_path: Path) -> None:
    refused = machine.mount(machine.archives.others)
    message = one_line(refused)
    assert refused.status == 14
    assert "2.6.32" in message
    assert RELEASE in message
    assert machine.modules() == []
    # Naming the place makes no difference.
    machine.namespace.run("mkdir", "-p", PLACE)
    assert machine.mount(machine.archives.others, PLACE).status == 14
    # Elsewhere they are nobody's business.
    place = tmp_path / "headers"
    place.mkdir()
    assert machine.mount(machine.archives.others, place).status == 0
    assert machine.umount(place).status == 0


@pytest.mark.parametrize("option", ["--any-release", "-oany_release"])
def test_another_kernels_headers_are_mounted_there_if_that_is_wanted(
    machine: Machine, option: str
) -> None:
    assert machine.mount(option, machine.archives.others).status == 0
    assert "2.6.32" in machine.namespace.run("cat", f"{PLACE}/include/generated/utsrelease.h")
    assert machine.umount().status == 0


def test_an_archive_found_under_a_wrong_name_is_refused_too(machine: Machine) -> None:
    machine.namespace.run("cp", machine.archives.others, machine.install())
    outcome = machine.mount()
    assert (outcome.status, "2.6.32" in one_line(outcome)) == (14, True)
    assert machine.modules() == []


def test_a_link_to_nowhere_is_reported_with_what_to_do(machine: Machine) -> None:
    machine.install()
    machine.namespace.run("mkdir", "-p", os.path.dirname(PLACE))
    machine.namespace.run("ln", "-s", "/usr/src/removed", PLACE)
    outcome = machine.mount()
    message = one_line(outcome)
    assert (outcome.status, "mkdir -p /usr/src/removed" in message) == (10, True), message


def test_a_place_with_something_else_in_it_is_left_alone(machine: Machine) -> None:
    machine.install()
    machine.namespace.run("mkdir", "-p", f"{PLACE}/scripts")
    outcome = machine.mount()
    message = one_line(outcome)
    assert (outcome.status, "neither empty nor a complete header tree" in message) == (10, True)
    assert machine.modules()[-1] == f"{PLACE}/scripts"


def test_a_read_only_file_system_is_reported(machine: Machine) -> None:
    machine.install()
    machine.namespace.run("mkdir", "/lib/modules")
    machine.namespace.run("mount", "-t", "tmpfs", "-o", "ro", "none", "/lib/modules")
    outcome = machine.mount()
    message = one_line(outcome)
    assert (outcome.status, "Read-only file system" in message) == (10, True), message
    assert "kheadersfs run" in message


def test_a_machine_that_is_read_only_altogether_is_reported(machine: Machine) -> None:
    machine.install()
    outcome = machine.mount_after("mount -t tmpfs -o ro none /run")
    message = one_line(outcome)
    assert (outcome.status, "Read-only file system" in message) == (10, True), message
    assert "kheadersfs run" in message
    assert machine.modules() == []


def test_an_ordinary_user_is_told_to_mount_elsewhere(machine: Machine) -> None:
    machine.install()
    # The interpreter may lie below a closed directory, so this user may pass through any.
    user = [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search", "--"),
    ]
    outcome = machine.namespace.outcome(*user, *command_line("mount"))
    message = one_line(outcome)
    assert (outcome.status, "Permission denied" in message) == (10, True), message
    assert "kheadersfs run" in message
    assert machine.modules() == []


def test_without_dev_fuse_nothing_is_left(machine: Machine) -> None:
    machine.install()
    outcome = machine.mount_after("mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3")
    assert (outcome.status, "modprobe fuse" in one_line(outcome)) == (15, True)
    assert machine.modules() == []


def test_without_a_mount_there_is_nothing_to_unmount(machine: Machine) -> None:
    outcome = machine.umount()
    assert (outcome.status, "nothing is mounted there" in one_line(outcome)) == (10, True)


def test_a_command_that_is_not_installed_is_reported_as_a_shell_does(machine: Machine) -> None:
    machine.install()
    outcome = machine.namespace.outcome(
        "env", "PATH=/nowhere", *command_line("run", "--", "clang", "--version")
    )
    assert (outcome.status, "clang" in one_line(outcome)) == (127, True)
