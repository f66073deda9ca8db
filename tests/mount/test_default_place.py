"""The place where bcc and bpftrace look: mounted there, restored, and left as it was."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support.machine import KCONFIG, NOBODY, PLACE, RELEASE
from tests.support.mounting import Outcome, command_line, is_running, run_command, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine import Machine

AT_ONCE = 8
EXISTING = ["", "/lib/modules", f"/lib/modules/{RELEASE}", PLACE]


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


@pytest.mark.parametrize("elsewhere", [">/dev/full", ">&-", "| true"])
def test_it_is_served_even_if_nobody_can_read_that_it_is(machine: Machine, elsewhere: str) -> None:
    machine.install()
    words = command_line("mount", "--log", machine.log)
    machine.namespace.outcome("sh", "-c", f'"$@" {elsewhere}', "sh", *words)
    assert machine.namespace.run("cat", f"{PLACE}/include/linux/kconfig.h") == KCONFIG
    assert machine.umount() == Outcome(0, "", "")
    assert machine.modules() == []


@pytest.mark.parametrize("umask", ["022", "077"])
def test_every_user_may_read_them(machine: Machine, umask: str) -> None:
    machine.install()
    mounting = command_line("mount", "--log", machine.log)
    machine.namespace.run("sh", "-c", f'umask {umask} && exec "$@"', "sh", *mounting)
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    assert machine.namespace.run(*user, "cat", f"{PLACE}/include/linux/kconfig.h") == KCONFIG
    machine.umount()


def test_of_several_kernels_it_is_the_running_ones(machine: Machine, tmp_path: Path) -> None:
    fleet = tmp_path / "kernels.tar.zst"
    archives = (machine.archives.others, machine.archives.own)
    assert run_command("merge", *archives, "-o", fleet).status == 0
    assert machine.mount(fleet) == Outcome(0, f"{PLACE}: has the headers of {fleet} now\n", "")
    release = machine.namespace.run("cat", f"{PLACE}/include/generated/utsrelease.h")
    assert f'"{RELEASE}"' in release
    assert machine.umount().status == 0
    outcome = machine.mount("--release", "2.6.32", fleet)
    assert outcome.status == 14, "it would be taken for the running one's"
    assert machine.modules() == []


def test_an_archive_that_is_named_goes_to_the_same_place(machine: Machine) -> None:
    outcome = machine.mount(machine.archives.own)
    assert outcome == Outcome(0, f"{PLACE}: has the headers of {machine.archives.own} now\n", "")
    assert machine.umount(PLACE).status == 0
    assert machine.modules() == []


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


def processes(machine: Machine) -> tuple[int, int]:
    """Return server and guardian of the mount at the default place."""
    script = (
        "from kheadersfs.mount.servers import read_status\n"
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
