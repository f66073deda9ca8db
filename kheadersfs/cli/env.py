"""``kheadersfs env``."""

from __future__ import annotations

from kheadersfs.bpf.toolchain import environment, shell_exports
from kheadersfs.cli.arguments import DIRECTORY, Parser, add_release
from kheadersfs.cli.directories import directory_of, kernel_in
from kheadersfs.mount.mountpoint import require_headers


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "env",
        "Print the shell variables that make bcc, bpftrace and makefiles use the headers in DIR.",
        ('eval "$(kheadersfs env ~/headers)"', "set the variables in this shell"),
        ("kheadersfs env ~/headers >>headers.sh", "keep them for others"),
    )
    add_release(arguments)
    arguments.add_archive_option("DIR")
    arguments.add_argument("directory", metavar="DIR", help=DIRECTORY)
    return arguments


def run(arguments: list[str]) -> int:
    """Print the shell commands."""
    values = parser().parse(arguments)
    directory = directory_of(values.directory, values.further, values.release)
    require_headers(directory)
    kernel = kernel_in(directory)
    names = {"KHEADERS_RELEASE": kernel.release, "KHEADERS_ARCH": kernel.arch}
    print(shell_exports({**environment(directory), **names}), end="")
    return 0
