"""``mount.fuse.kheadersfs``: what mount(8) runs for file systems of the type fuse.kheadersfs.

mount(8) says how: ``mount.TYPE SOURCE DIRECTORY [-sfnv] [-o options] [-t TYPE]``. It passes on
the exit status, which is that of ``kheadersfs mount``.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from kheadersfs.cli import main as run_command
from kheadersfs.cli import open_standard_streams, run_script
from kheadersfs.cli.arguments import ARCHIVE, Parser
from kheadersfs.cli.options import parse_mount_options
from kheadersfs.cli.output import report
from kheadersfs.errors import UsageError


def parser() -> Parser:
    """Return the parser of what mount(8) passes."""
    arguments = Parser(
        "mount",
        "Mount the headers in ARCHIVE, or with the word none the running kernel's, at MOUNTPOINT. "
        "This is for mount(8): mount -t fuse.kheadersfs ARCHIVE MOUNTPOINT. All options of "
        "kheadersfs mount but --foreground have a name for -o.",
        ("mount -t fuse.kheadersfs kheaders.tar.xz /mnt -o allow_other", "for all users"),
        (
            "/usr/lib/kheaders/6.1.tar.xz /run/kheaders fuse.kheadersfs "
            "ro,allow_other,noauto,x-systemd.automount 0 0",
            "a line of fstab, which mounts when somebody looks",
        ),
    )
    arguments.prog = "mount.fuse.kheadersfs"
    arguments.add_argument("-s", action="store_true", help="leave out options that do not exist")
    arguments.add_argument("-f", action="store_true", help="check the options, and mount nothing")
    arguments.add_argument("-n", action="store_true", help="has no effect")
    arguments.add_argument("-v", action="store_true", help="has no effect")
    arguments.add_argument("-t", metavar="TYPE", help="has no effect")
    arguments.add_argument(
        "-o",
        dest="options",
        action="append",
        default=[],
        metavar="OPTS",
        help="as for kheadersfs mount; rw counts as ro, because mount(8) adds it by itself",
    )
    arguments.add_argument("archive", metavar="ARCHIVE", help=ARCHIVE)
    arguments.add_argument("mountpoint", metavar="MOUNTPOINT", help="an empty directory")
    return arguments


def main(arguments: list[str] | None = None) -> int:
    """Mount as *arguments*, by default the process's, say. Returns the exit status."""
    open_standard_streams()
    try:
        values = parser().parse(sys.argv[1:] if arguments is None else arguments)
        options = [option for option in ",".join(values.options).split(",") if option != "rw"]
        if values.s:
            options = [option for option in options if _exists(option)]
        parse_mount_options(options)
    except UsageError as error:
        report(error)
        return error.exit_status
    if values.f:
        return 0
    words = ["-o", ",".join(options), "--", values.archive, values.mountpoint]
    return run_command(["mount", *words])


def script() -> NoReturn:
    """Run as a process of its own."""
    run_script(main)


def _exists(option: str) -> bool:
    try:
        parse_mount_options([option])
    except UsageError:
        return False
    return True
