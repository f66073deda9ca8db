"""Suggest what somebody may have meant by a word that is unknown here."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kheadersfs.archive.opening import is_address
from kheadersfs.errors import UsageError, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

GENERAL_OPTIONS = ("--help", "--version", "-h", "-V")
_OTHER_NAMES = {
    "list": "ls",
    "unmount": "umount",
    "version": "--version",
    "exec": "run",
    "check": "verify",
    "show": "cat",
    "create": "pack",
}
"""The names that other programs have for what these commands do."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return a question to append to a message about *word*, empty if no *known* one is like it."""
    # All options begin with dashes, which is no reason to think one meant for another.
    names = {name.lstrip("-"): name for name in known}
    meant = get_close_matches(word.lstrip("-"), names, n=1)
    return f"; did you mean {names[meant[0]]}?" if meant else ""


def unknown_command(word: str, commands: Collection[str]) -> UsageError:
    """Return what to raise of *word*, which is none of the *commands*."""
    if word in _OTHER_NAMES:
        meant = f"; did you mean {_OTHER_NAMES[word]}?"
    else:
        meant = suggestion(word, commands)
    if not meant and (is_address(word) or os.path.isfile(word)):
        # mount(8) without our helper has libfuse's run this program with what should be mounted.
        meant = (
            f"; to mount it: kheadersfs mount {quoted(word)} MOUNTPOINT; mount -t fuse.kheadersfs "
            "needs a link to mount.fuse.kheadersfs in /sbin"
        )
    shown = word or "''"
    return UsageError(f"{shown}: no such command{meant or '; kheadersfs --help lists them'}")


def unknown_option(words: list[str], commands: Collection[str]) -> UsageError:
    """Return what to raise of the first of *words*, an option where a command is expected."""
    option = words[0]
    meant = suggestion(option, GENERAL_OPTIONS)
    if meant:
        return UsageError(f"{option}: no such option{meant}")
    command = next((word for word in words if word in commands), "COMMAND")
    return UsageError(
        f"{option}: options go after the command, as in kheadersfs {command} {option}; "
        "kheadersfs --help lists commands"
    )
