"""``kheadersfs umount``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kheadersfs.bpf.mountpoint import default_mountpoint, restore
from kheadersfs.cli.arguments import Parser
from kheadersfs.fuse import mounting, serving

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "umount",
        "Unmount MOUNTPOINT, by default the place where mount puts the running kernel's headers. "
        "Returns when the server is gone, and its memory with it, and directories that were made "
        "for the mount.",
    )
    arguments.add_argument(
        "-l",
        "--lazy",
        action="store_true",
        help="detach it now even if it is in use; what is open stays readable until closed",
    )
    arguments.add_argument("mountpoint", metavar="MOUNTPOINT", nargs="?")
    return arguments


def run(arguments: list[str]) -> int:
    """Unmount, then wait for the server to end unless files are still open."""
    values = parser().parse_args(arguments)
    place = values.mountpoint
    if place is None:
        place = default_mountpoint(os.uname().release)
    mountpoint = mounting.real_path(place)
    if mounting.find_mount(mountpoint) is None and restore(mountpoint):
        return 0  # a power failure left the directories and nothing else
    mounting.require_mount(mountpoint)
    dead = mounting.is_dead(mountpoint)
    server = None if dead or values.lazy else serving.find_server(mountpoint)
    mounting.unmount(mountpoint, detach=dead or values.lazy)
    restore(mountpoint)
    if server is not None:
        server.wait()
    return 0
