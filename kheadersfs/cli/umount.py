"""``kheadersfs umount``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.cli.arguments import Parser
from kheadersfs.fuse import mounting, serving

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "umount", "Unmount MOUNTPOINT. Returns when the server is gone, and its memory with it."
    )
    arguments.add_argument(
        "-l",
        "--lazy",
        action="store_true",
        help="detach it now even if it is in use; what is open stays readable until closed",
    )
    arguments.add_argument("mountpoint", metavar="MOUNTPOINT")
    return arguments


def run(arguments: list[str]) -> int:
    """Unmount, then wait for the server to end unless files are still open."""
    values = parser().parse_args(arguments)
    mountpoint = mounting.require_mount(mounting.real_path(values.mountpoint))
    if mounting.is_dead(mountpoint):
        mounting.unmount(mountpoint, detach=True)
        return 0
    server = serving.find_server(mountpoint)
    mounting.unmount(mountpoint, detach=values.lazy)
    if server is not None and not values.lazy:
        server.wait()
    return 0
