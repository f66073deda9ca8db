"""Take away a mount whose server was killed, without harm to what is mounted there next."""

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
"""Seconds in which a guardian whose server is gone has ended, unless it is stuck."""


def remove(mountpoint: str) -> None:
    """Unmount the dead file system of ours at *mountpoint*, a real path.

    If it has a guardian, that is about to do the same. It may have looked already, and would then
    take away what is mounted next; so nothing is done before it has ended. Raises MountpointError.
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
    """Wait until the guardian of *mountpoint* has ended, if there is one."""
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
