"""``kheadersfs reference``."""

from __future__ import annotations

from kheadersfs.cli import completion, manual
from kheadersfs.cli.arguments import Parser

KINDS = {
    "man": manual.command_page,
    "man8": manual.helper_page,
    "bash": completion.bash,
    "zsh": completion.zsh,
    "fish": completion.fish,
}


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "reference",
        "Print the manual page of kheadersfs (man) or of mount.fuse.kheadersfs (man8), or a "
        "shell's completion of the command line (bash, zsh, fish).",
        ("kheadersfs reference man | man -l -", "read the manual"),
        (
            "kheadersfs reference bash >/etc/bash_completion.d/kheadersfs",
            "let the Tab key complete commands and options",
        ),
    )
    arguments.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    return arguments


def run(arguments: list[str]) -> int:
    """Print it."""
    print(KINDS[parser().parse(arguments).kind](), end="")
    return 0
