"""``kheadersfs umount``."""

from __future__ import annotations

import os

from kheadersfs.cli.words import plain_words
from kheadersfs.mount import mounting, servers, table
from kheadersfs.mount.asking import ServerKilled
from kheadersfs.mount.mountpoint import default_mountpoint, directories_created

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.cli.arguments import Parser


def parser() -> Parser:
    """See CommandModule.parser."""
    from kheadersfs.cli.arguments import Parser  # 11 ms, which only options pay

    arguments = Parser(
        "umount",
        "Unmount MOUNTPOINT, by default the place where mount puts the running kernel's headers. "
        "Returns when the server has ended, its memory is free, and directories that were made for "
        "the mount are removed.",
        ("kheadersfs umount ~/headers", "after the build"),
        ("kheadersfs umount --lazy ~/headers", "when something still has files of it open"),
    )
    arguments.add_argument(
        "-l",
        "--lazy",
        action="store_true",
        help="detach it now even if it is in use; what is open stays readable until closed",
    )
    arguments.add_argument(
        "mountpoint", metavar="MOUNTPOINT", nargs="?", help="where headers are mounted"
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Unmount, then wait for the server to end unless files are still open."""
    words = plain_words(arguments, 1)
    if words is not None:
        place, lazy = (words[0] if words else None), False
    else:
        values = parser().parse(arguments)
        place, lazy = values.mountpoint, values.lazy
    _unmount(default_mountpoint(os.uname().release) if place is None else place, lazy)
    return 0


def _unmount(place: str, lazy: bool) -> None:
    """Unmount *place*, and wait for its server unless *lazy*. Raises MountpointError."""
    mountpoint = table.real_path(place)
    if table.find_mount(mountpoint) is None and _restore(mountpoint):
        return  # a power failure left the directories and nothing else
    table.require_mount(mountpoint)
    server = None
    try:
        if lazy:
            mounting.unmount(mountpoint, detach=True)
        else:
            server = servers.find_server(mountpoint)
            mounting.unmount_unless_in_use(mountpoint)
    except ServerKilled:
        from kheadersfs.mount import stale  # 5 ms, which only mounts whose server was killed pay

        stale.remove(mountpoint)
    _restore(mountpoint)
    if server is not None:
        server.wait()


def _restore(mountpoint: str) -> bool:
    """Remove the directories that were made for the mount, and tell whether there were any."""
    if not directories_created(mountpoint):
        return False
    from kheadersfs.mount.preparing import restore  # 4 ms, which only the default place pays

    return bool(restore(mountpoint))
