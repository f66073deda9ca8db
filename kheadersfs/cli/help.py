"""``kheadersfs help``, and ``kheadersfs --help``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kheadersfs.cli import COMMANDS, load
from kheadersfs.cli.arguments import Parser
from kheadersfs.cli.misspelling import suggestion
from kheadersfs.errors import UsageError
from kheadersfs.limits import DEFAULT_LIMITS, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMITS = "limits"
"""The one topic of help that is no command."""

STATUSES = {
    0: "done",
    1: "failed: a full disk, a tree that changed while it was read",
    2: "wrong usage",
    10: "the mountpoint is missing, busy, not empty, or not ours",
    11: "the archive cannot be opened or read",
    12: "not a supported archive",
    13: "a damaged archive",
    14: "refused: an unsafe member, a limit, or the headers of another kernel",
    15: "FUSE is not available",
    16: "what was asked for is not in the archive",
    130: "interrupted by ^C",
}
RUN_STATUS = (
    "kheadersfs run returns the exit status of its command, and 127 or 126 if that cannot be "
    "started; with --each, 1 if it failed for any kernel; with --record, 1 if it succeeded and the "
    "record cannot be written."
)
LIMITS_EXPLAINED = (
    "An archive beyond a limit is refused, because whoever made it decides what reading it costs. "
    "The ratio of compression counts only for content of more than 64 MiB. Times are those of a "
    "processor. Members beyond path, depth or target are left out; an archive with an index that "
    "lists such a member is refused."
)
_SUMMARY = "Kernel headers as a read-only file system, straight from their compressed archive."


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "help",
        "Explain the command TOPIC, or what --limit can change. Without TOPIC, list the commands.",
        ("kheadersfs help mount", "the same as kheadersfs mount --help"),
        ("kheadersfs help limits", "the limits on archives, and how to change them"),
    )
    arguments.add_argument(
        "topic", metavar="TOPIC", nargs="?", help=f"the name of a command, or {LIMITS}"
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Print what there is to say, as wide as the terminal."""
    topic = parser().parse(arguments).topic
    if topic is None:
        text = _general_help()
    elif topic == LIMITS:
        text = _limits_help()
    elif topic in COMMANDS:
        text = load(topic).parser().format_help()
    else:
        meant = suggestion(topic, [*COMMANDS, LIMITS])
        raise UsageError(f"{topic}: no such command{meant or '; kheadersfs --help lists them'}")
    print(text, end="")
    return 0


def limits_and_defaults() -> dict[str, str]:
    """Return what to say of each limit, by name."""
    defaults = DEFAULT_LIMITS._asdict()
    return {name: f"{subject.rstrip(',')}; {defaults[name]}" for name, subject in SUBJECTS.items()}


def _general_help() -> str:
    return _format(
        "usage: kheadersfs COMMAND ...",
        _SUMMARY,
        ("commands", {name: command.summary for name, command in COMMANDS.items()}),
        "kheadersfs help COMMAND describes one of them, as kheadersfs COMMAND --help does; "
        "kheadersfs --version prints the version.",
        ("exit status", {str(status): meaning for status, meaning in STATUSES.items()}),
        RUN_STATUS,
    )


def _limits_help() -> str:
    return _format(
        "usage: kheadersfs COMMAND --limit NAME=NUMBER ...",
        LIMITS_EXPLAINED,
        ("limits", limits_and_defaults()),
        "The last figure of each line is the default. NUMBER may end in K, M or G. With mount(8) "
        "and in fstab, write -o limit=NAME=NUMBER.",
    )


def _format(*parts: str | tuple[str, Mapping[str, str]]) -> str:
    """Return paragraphs and titled lists as argparse would show them: no wider than fits."""
    formatter = argparse.HelpFormatter("kheadersfs")
    for part in parts:
        if isinstance(part, str):
            formatter.add_text(part)
            continue
        title, entries = part
        formatter.start_section(title)
        for name, meaning in entries.items():
            formatter.add_argument(argparse.Action([], name, metavar=name, help=meaning))
        formatter.end_section()
    return formatter.format_help()
