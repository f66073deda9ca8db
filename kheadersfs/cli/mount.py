"""``kheadersfs mount``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kheadersfs.archive.opening import open_archive
from kheadersfs.cli.arguments import Parser, seconds
from kheadersfs.cli.options import parse_mount_options
from kheadersfs.fuse import mounting, starting

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser("mount", "Mount the headers in ARCHIVE at MOUNTPOINT, read-only.")
    arguments.add_argument(
        "-o",
        dest="options",
        action="append",
        default=[],
        metavar="OPTS",
        help="comma-separated: allow_other (let other users read), nonempty (hide what is in the "
        "directory), uid=N, gid=N (owner of everything; 0), cache=SIZE (decoded content to hold; "
        "64M); what fstab adds is accepted",
    )
    arguments.add_argument(
        "-f", "--foreground", action="store_true", help="serve in this process, log to stderr"
    )
    arguments.add_argument(
        "--idle-timeout",
        type=seconds,
        metavar="S",
        help="unmount after S seconds without an open file",
    )
    arguments.add_argument(
        "--prefetch", action="store_true", help="start decompressing before anybody looks"
    )
    arguments.add_argument(
        "--strict",
        action="store_true",
        help="refuse an archive with unsafe members instead of leaving these out",
    )
    arguments.add_argument("--log", metavar="FILE", help="log there; otherwise to the system log")
    arguments.add_argument("archive", metavar="ARCHIVE")
    arguments.add_argument("mountpoint", metavar="MOUNTPOINT")
    return arguments


def run(arguments: list[str]) -> int:
    """Mount, and return when files can be read; in the foreground, when it is over."""
    values = parser().parse_args(arguments)
    options = parse_mount_options(values.options)
    log = starting.STANDARD_ERROR if values.foreground else starting.SYSTEM_LOG
    if values.log is not None:
        log = starting.open_output(values.log, append=True)
    serve_options = starting.ServeOptions(
        owner=(options.uid, options.gid),
        budget=options.cache,
        idle_timeout=values.idle_timeout,
        prefetch=values.prefetch,
        strict=values.strict,
        log=log,
    )
    starting.require_pyfuse3()
    archive = open_archive(values.archive)
    if values.strict:
        starting.check_safety(archive, options.cache)
    mountpoint = mounting.prepare_mountpoint(values.mountpoint, options.nonempty)
    source = os.path.abspath(values.archive)
    device = mounting.mount(mounting.MountRequest(source, mountpoint, options.allow_other))
    if values.foreground:
        starting.serve(archive, lambda: device, mountpoint, serve_options)
    starting.fork_server(lambda: starting.serve(archive, lambda: device, mountpoint, serve_options))
    return 0
