"""``kheadersfs env``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.bpf.toolchain import environment, shell_exports
from kheadersfs.cli.arguments import Parser
from kheadersfs.mount.mountpoint import require_headers

if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """See CommandModule.parser."""
    arguments = Parser(
        "env",
        "Print what a shell needs so that bcc, bpftrace and makefiles use the headers in "
        'DIR: eval "$(kheadersfs env DIR)".',
    )
    arguments.add_argument("directory", metavar="DIR")
    return arguments


def run(arguments: list[str]) -> int:
    """Print the shell commands."""
    directory = parser().parse_args(arguments).directory
    require_headers(directory)
    print(shell_exports(environment(directory)), end="")
    return 0
