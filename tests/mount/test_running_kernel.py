"""Where the running kernel's headers are found: in itself, in an archive, in a header tree."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import kernel
from tests.support.machine import KCONFIG, PLACE, RELEASE
from tests.support.mounting import Outcome, command_line, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine import Machine


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


def test_run_finds_the_headers_too(machine: Machine) -> None:
    machine.install()
    script = 'cat "$KHEADERS/include/linux/kconfig.h"'
    assert machine.namespace.kheadersfs("run", "--", "sh", "-c", script) == Outcome(0, KCONFIG, "")
    assert machine.modules() == []


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
    # What has just changed is not trusted to be seen when it changes again.
    changed = release.stat().st_ctime
    wait_until(lambda: time.time() > changed + 1, "a second")
    packed = f"/var/cache/kheadersfs/{RELEASE}.tar.zst"
    assert machine.mount() == Outcome(0, f"{PLACE}: has the headers of {packed} now\n", "")
    assert RELEASE in machine.namespace.run("cat", f"{PLACE}/include/generated/utsrelease.h")
    assert "task_struct" in machine.namespace.run("cat", f"{PLACE}/include/linux/sched.h")
    machine.umount()
    made = os.stat(machine.namespace.path(packed)).st_mtime_ns
    assert machine.namespace.kheadersfs("run", "true").status == 0
    assert os.stat(machine.namespace.path(packed)).st_mtime_ns == made
    names = {f"{RELEASE}.tar.zst", f"{RELEASE}.tar.zst.tree"}
    assert set(os.listdir(machine.namespace.path("/var/cache/kheadersfs"))) == names
