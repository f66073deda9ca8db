"""The words of ``kheadersfs mount``: only a command line with options, or its help, needs them."""

from __future__ import annotations

from kheadersfs.cli.arguments import ARCHIVE, Parser, add_limits, add_pins, add_release, seconds
from kheadersfs.cli.options import RUNNING_KERNELS


def mount_parser() -> Parser:
    """Return the parser of its arguments."""
    arguments = Parser(
        "mount",
        "Mount the headers in ARCHIVE at MOUNTPOINT, read-only. Without ARCHIVE, or with the word "
        "none, mount the running kernel's headers, wherever this machine has them. Without "
        "MOUNTPOINT, mount at /lib/modules/RELEASE/build, where bcc and bpftrace look, unless "
        "headers are there already. Every user may read them there.",
        ("kheadersfs mount kheaders.tar.xz ~/headers", "any kernel's headers, for this user"),
        ("sudo kheadersfs mount", "the running kernel's, where bcc and bpftrace look"),
    )
    arguments.add_argument(
        "-o",
        dest="options",
        action="append",
        default=[],
        metavar="OPTS",
        help="comma-separated: allow_other (let other users read), nonempty (hide what is in the "
        "directory), noexec (start no program that is in it), uid=N, gid=N (owner of everything; "
        "0), cache=SIZE (decoded content to hold; 64M), and idle_timeout=S, prefetch, strict, "
        "any_release, release=R, log=FILE, btf=FILE, digest=, verify_key=FILE and "
        "limit=NAME=NUMBER like the options of these names; what fstab adds is accepted",
    )
    arguments.add_argument(
        "-f", "--foreground", action="store_true", help="serve in this process, log to stderr"
    )
    arguments.add_argument(
        "--idle-timeout",
        type=seconds,
        metavar="S",
        help="unmount after S seconds without an open file; 0 unmounts as soon as none is open",
    )
    arguments.add_argument(
        "--prefetch", action="store_true", help="start decompressing before anybody looks"
    )
    arguments.add_argument(
        "--strict",
        action="store_true",
        help="refuse at once an archive that is beyond a limit, has unsafe members (otherwise left "
        "out), or has absolute names (otherwise shown without the leading slash)",
    )
    arguments.add_argument(
        "--any-release",
        action="store_true",
        help="without MOUNTPOINT: also accept the headers of another kernel than the running one",
    )
    arguments.add_argument(
        "--btf",
        metavar="FILE",
        help="make include/vmlinux.h from FILE, which is BTF or a vmlinux with it; by default from "
        "the running kernel's, for its own headers only",
    )
    add_release(arguments, ", and the default where bcc and bpftrace look")
    add_pins(arguments)
    add_limits(arguments)
    arguments.add_archive_option()
    arguments.add_argument("--log", metavar="FILE", help="log to FILE instead of the system log")
    arguments.add_argument(
        "archive", metavar="ARCHIVE", nargs="?", default=RUNNING_KERNELS, help=ARCHIVE
    )
    arguments.add_argument("mountpoint", metavar="MOUNTPOINT", nargs="?", help="an empty directory")
    return arguments
