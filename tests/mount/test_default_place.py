"""Commands without ARCHIVE and MOUNTPOINT: what they find, where they mount it, what they leave."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support import kernel
from tests.support.machine import KCONFIG, PLACE, RELEASE
from tests.support.mounting import Outcome, command_line, is_running, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine import Machine

NOBODY = 65534
AT_ONCE = 8

EXISTING = ["", "/lib/modules", f"/lib/modules/{RELEASE}", PLACE]


def one_line(outcome: Outcome) -> str:
    assert outcome.output == ""
    assert outcome.errors.startswith("kheadersfs: ")
    assert outcome.errors.count("\n") == 1
    return outcome.errors


@pytest.mark.parametrize("existing", EXISTING)
def test_mount_finds_the_headers_and_umount_removes_exactly_what_was_made(
    machine: Machine, existing: str
) -> None:
    archive = machine.install()
    if existing:
        machine.namespace.run("mkdir", "-p", existing)
    before = machine.modules()
    assert machine.mount() == Outcome(0, f"{PLACE}: has the headers of {archive} now\n", "")
    assert machine.namespace.run("cat", f"{PLACE}/include/linux/kconfig.h") == KCONFIG
    assert machine.umount() == Outcome(0, "", "")
    assert machine.modules() == before


def test_every_user_may_read_them(machine: Machine) -> None:
    machine.install()
    machine.mount()
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    assert machine.namespace.run(*user, "cat", f"{PLACE}/include/linux/kconfig.h") == KCONFIG
    machine.umount()


def test_an_archive_that_is_named_goes_to_the_same_place(machine: Machine) -> None:
    outcome = machine.mount(machine.archives.own)
    assert outcome == Outcome(0, f"{PLACE}: has the headers of {machine.archives.own} now\n", "")
    assert machine.umount(PLACE).status == 0
    assert machine.modules() == []


def test_with_none_the_running_kernels_headers_go_anywhere(
    machine: Machine, tmp_path: Path
) -> None:
    machine.install()
    place = tmp_path / "headers"
    place.mkdir()
    assert machine.mount("none", place) == Outcome(0, "", "")
    assert machine.namespace.run("cat", place / "include/linux/kconfig.h") == KCONFIG
    assert machine.umount(place).status == 0
    assert place.is_dir()


def test_many_that_mount_at_once_mount_once(machine: Machine) -> None:
    archive = machine.install()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda _: machine.mount(), range(AT_ONCE)))
    assert {(outcome.status, outcome.errors) for outcome in outcomes} == {(0, "")}
    assert sorted(outcome.output for outcome in outcomes) == [
        *[f"{PLACE}: has kernel headers already; nothing was changed\n"] * (AT_ONCE - 1),
        f"{PLACE}: has the headers of {archive} now\n",
    ]
    assert len(machine.mounts()) == 1
    assert machine.umount().status == 0
    assert machine.modules() == []


def test_many_that_fail_at_once_leave_nothing(machine: Machine) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda _: machine.mount(), range(AT_ONCE)))
    assert {outcome.status for outcome in outcomes} == {11}
    assert machine.modules() == []


def test_a_complete_tree_is_left_alone(machine: Machine) -> None:
    machine.install()
    machine.namespace.run("mkdir", "-p", f"{PLACE}/include/linux")
    machine.namespace.run("touch", f"{PLACE}/include/linux/kconfig.h")
    before = machine.modules()
    outcome = machine.mount()
    assert outcome == Outcome(0, f"{PLACE}: has kernel headers already; nothing was changed\n", "")
    assert machine.mounts() == []
    assert machine.modules() == before


def test_mounting_twice_mounts_once(machine: Machine) -> None:
    machine.install()
    machine.mount()
    again = machine.mount()
    assert (again.status, "nothing was changed" in again.output) == (0, True)
    assert len(machine.mounts()) == 1
    assert machine.umount().status == 0
    assert machine.modules() == []


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


def processes(machine: Machine) -> tuple[int, int]:
    """Return server and guardian of the mount at the default place."""
    script = (
        "from kheadersfs.fuse.serving import read_status\n"
        f"status = read_status({PLACE!r})\n"
        "print(status['pid'], status['guardian'])"
    )
    server, guardian = machine.namespace.run(command_line()[0], "-c", script).split()
    return int(server), int(guardian)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_a_server_that_a_signal_ends_leaves_nothing(
    machine: Machine, number: signal.Signals
) -> None:
    machine.install()
    machine.mount()
    server, guardian = processes(machine)
    os.kill(server, number)
    wait_until(lambda: not is_running(guardian), "the guardian ended")
    assert machine.modules() == []
    assert machine.umount().status == 10


def test_an_idle_mount_leaves_nothing(machine: Machine) -> None:
    machine.install()
    machine.mount("--idle-timeout", "0.3")
    # To look into the mount would keep it busy.
    wait_until(lambda: machine.mounts() == [], "it was unmounted")
    wait_until(lambda: machine.modules() == [], "all directories went away")


def leave_dead_mount(machine: Machine) -> None:
    machine.install()
    machine.mount()
    server, guardian = processes(machine)
    for process in (guardian, server):
        os.kill(process, signal.SIGKILL)
        wait_until(lambda process=process: not is_running(process), "it ended")  # type: ignore[misc]
    assert len(machine.mounts()) == 1


def test_a_dead_mount_is_replaced(machine: Machine) -> None:
    leave_dead_mount(machine)
    assert machine.mount().status == 0
    assert machine.namespace.run("cat", f"{PLACE}/include/linux/kconfig.h") == KCONFIG
    assert machine.umount().status == 0
    assert machine.modules() == []


def test_a_dead_mount_is_unmounted(machine: Machine) -> None:
    leave_dead_mount(machine)
    assert machine.umount() == Outcome(0, "", "")
    assert machine.modules() == []


def test_what_a_power_failure_left_is_removed(machine: Machine) -> None:
    leave_dead_mount(machine)
    machine.namespace.run("umount", PLACE)
    assert machine.modules()[-1] == f"{PLACE}/.kheadersfs-created"
    assert machine.umount() == Outcome(0, "", "")
    assert machine.modules() == []


def test_without_a_mount_there_is_nothing_to_unmount(machine: Machine) -> None:
    outcome = machine.umount()
    assert (outcome.status, "nothing is mounted there" in one_line(outcome)) == (10, True)


def test_run_finds_the_headers_too(machine: Machine) -> None:
    machine.install()
    script = 'cat "$KHEADERS/include/linux/kconfig.h"'
    assert machine.namespace.kheadersfs("run", "--", "sh", "-c", script) == Outcome(0, KCONFIG, "")
    assert machine.modules() == []


def test_a_command_that_is_not_installed_is_reported_as_a_shell_does(machine: Machine) -> None:
    machine.install()
    outcome = machine.namespace.outcome(
        "env", "PATH=/nowhere", *command_line("run", "--", "clang", "--version")
    )
    assert (outcome.status, "clang" in one_line(outcome)) == (127, True)


def test_flags_and_variables_need_no_compiler(machine: Machine) -> None:
    machine.install()
    machine.mount()
    for command in ("cflags", "env"):
        outcome = machine.namespace.outcome("env", "PATH=/nowhere", *command_line(command, PLACE))
        assert (outcome.status, outcome.errors) == (0, "")
        assert PLACE in outcome.output
    machine.umount()


# Stands for the one of a machine whose kernel has the module: it shows the archive in sysfs.
MODPROBE = """#!/bin/sh
case "$*" in
"-q kheaders")
    mkdir /sys/module/kheaders
    echo live >/sys/module/kheaders/initstate
    cp {archive} /sys/kernel/kheaders.tar.xz ;;
"-q -r kheaders")
    rm -r /sys/module/kheaders /sys/kernel/kheaders.tar.xz ;;
esac
"""


def replace_sysfs(machine: Machine) -> None:
    """Let what kernels show in sysfs be written by the test."""
    for directory in ("/sys/kernel", "/sys/module"):
        machine.namespace.run("mount", "-t", "tmpfs", "none", directory)


def test_a_modules_headers_stay_mounted_when_it_is_unloaded_again(
    machine: Machine, tmp_path: Path
) -> None:
    replace_sysfs(machine)
    modprobe = tmp_path / "modprobe"
    modprobe.write_text(MODPROBE.format(archive=machine.archives.own))
    modprobe.chmod(0o755)
    words = command_line("mount", "--log", machine.log)
    outcome = machine.namespace.outcome(*words, PATH=f"{tmp_path}:{os.environ['PATH']}")
    said = f"{PLACE}: has the headers of /sys/kernel/kheaders.tar.xz now\n"
    assert outcome == Outcome(0, said, "")
    for directory in ("/sys/kernel", "/sys/module"):
        assert os.listdir(machine.namespace.path(directory)) == []
    assert machine.namespace.run("cat", f"{PLACE}/include/linux/kconfig.h") == KCONFIG
    assert machine.umount().status == 0


def test_what_the_kernel_itself_has_is_its_own_whatever_it_says(machine: Machine) -> None:
    replace_sysfs(machine)
    machine.namespace.run("cp", machine.archives.others, "/sys/kernel/kheaders.tar.xz")
    assert machine.mount().status == 0
    assert machine.umount().status == 0


def test_a_header_tree_is_packed_once(machine: Machine) -> None:
    """A real build's object tree that names its sources, with the running kernel's release."""
    if missing := kernel.missing_parts():
        pytest.skip(f"not installed: {', '.join(missing)}")
    built = kernel.kernel_trees().objtree
    installed = f"/usr/src/linux-headers-{RELEASE}"
    machine.namespace.run("mkdir", "-p", installed)
    for name in ("include", "arch", "Makefile"):
        machine.namespace.run("cp", "-a", built / name, installed)
    release = machine.namespace.path(f"{installed}/include/generated/utsrelease.h")
    release.write_text(f'#define UTS_RELEASE "{RELEASE}"\n')
    packed = f"/var/cache/kheadersfs/{RELEASE}.tar.zst"
    assert machine.mount() == Outcome(0, f"{PLACE}: has the headers of {packed} now\n", "")
    assert RELEASE in machine.namespace.run("cat", f"{PLACE}/include/generated/utsrelease.h")
    assert "task_struct" in machine.namespace.run("cat", f"{PLACE}/include/linux/sched.h")
    machine.umount()
    made = os.stat(machine.namespace.path(packed)).st_mtime_ns
    assert machine.namespace.kheadersfs("run", "true").status == 0
    assert os.stat(machine.namespace.path(packed)).st_mtime_ns == made
    assert os.listdir(machine.namespace.path("/var/cache/kheadersfs")) == [f"{RELEASE}.tar.zst"]
