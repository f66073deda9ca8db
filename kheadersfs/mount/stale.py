"""Unmount a file system whose server was killed, but never what is mounted there next."""

from __future__ import annotations

import os
import select
import time

from kheadersfs.errors import MountpointError
from kheadersfs.mount import mounting
from kheadersfs.mount.asking import is_dead
from kheadersfs.mount.guardian import NAME
from kheadersfs.mount.processes import all_processes
from kheadersfs.mount.table import FILE_SYSTEM, find_mount

_GUARDIAN_PATIENCE = 3.0
"""Seconds after which a guardian whose server has ended is taken for stuck."""


def remove(mountpoint: str) -> None:
    """Unmount the dead file system of kheadersfs at *mountpoint*, a real path.

    Its guardian, if there is one, is about to unmount it too. The guardian may already have found
    its mount, and would then unmount what is mounted there next. So this waits for the guardian's
    end first. Raises MountpointError for a dead mount of another file system.
    """
    _await_guardian(os.fsencode(mountpoint))
    if not is_dead(mountpoint):
        return
    if find_mount(mountpoint) != FILE_SYSTEM:
        raise MountpointError(
            f"{mountpoint}: a dead mount of another file system; unmount it first"
        )
    mounting.unmount(mountpoint, detach=True)


def _await_guardian(mountpoint: bytes) -> None:
    """Wait until the guardian of *mountpoint* has ended, for _GUARDIAN_PATIENCE seconds at most."""
    deadline = time.monotonic() + _GUARDIAN_PATIENCE
    for process in all_processes():
        try:
            with open(f"/proc/{process}/cmdline", "rb") as arguments:
                words = arguments.read().split(b"\0")
            if words[0] != NAME.encode() or mountpoint not in words:
                continue
            descriptor = os.pidfd_open(process)
        except OSError:
            continue  # it has ended, or is another user's
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(max(0.0, deadline - time.monotonic()) * 1000)
        finally:
            os.close(descriptor)
