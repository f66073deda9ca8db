"""The argument parser that all commands share."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from kheadersfs.cli.misspelling import suggestion
from kheadersfs.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

ARCHIVE = (
    "a tar or cpio of headers, plain or compressed: a file, or its http, https, s3 or oci address; "
    "or a .deb or .rpm of headers, or a directory with those of one kernel"
)
DIRECTORY = (
    "where headers are: a mountpoint, or an extracted archive; or an archive or packages that are "
    "mounted"
)
OUTPUT = "the archive to write; a file that is there is replaced when the new one is complete"
_SOMETHING_MISSING = "the following arguments are required"
"""How argparse begins when there are too few arguments."""
_MARK = "\0"
"""Stands before a word that is no option although it begins like one. No argument has a zero."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose complaints are errors of ours: one line, exit status 2.

    *description* says in a sentence what the command does. *examples* are command lines, each with
    what it does.
    """

    def __init__(self, command: str, description: str, *examples: tuple[str, str]) -> None:
        super().__init__(prog=f"kheadersfs {command}", description=description, allow_abbrev=False)
        self.examples = examples
        self._words: list[str] = []
        self._has_archive_option = False
        self._takes_several = False

    def add_archive_option(self, metavar: str = "ARCHIVE", *, several: bool = False) -> None:
        """Let --archive say, as in kheadersfs run, what the first word says otherwise.

        Unless a command takes *several* archives, further ones are packages of the same kernel:
        parse() returns them as ``further``.
        """
        self.add_argument(
            "--archive",
            default=argparse.SUPPRESS,  # parse() has put it where its place is
            metavar="ARCHIVE",
            help=f"names {metavar} as for kheadersfs run, instead of the first word"
            + ("" if several else "; may be repeated for packages of one kernel"),
        )
        self._has_archive_option = True
        self._takes_several = several

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Return what *words* say. Raises UsageError, with what may have been meant.

        An option's value that is empty comes from a variable that is not set. It would pass for an
        option that was left out: an archive would not be held against its digest.
        """
        further: list[str] = []
        if self._has_archive_option:
            named, words = _take_archives(words)
            if not self._takes_several:
                named, further = named[:1], named[1:]
            words = [*map(_marked, named), *words]
        self._words = words
        if any(action.nargs == argparse.REMAINDER for action in self._actions):
            values, rest = self.parse_known_args(words)
        else:
            # This lets options stand between the words, also where some words may be left out.
            values, rest = self.parse_known_intermixed_args(_marked_behind_dashes(words))
        _remove_marks(values)
        if rest:
            raise self._not_understood(rest)
        for action in self._actions:
            if action.option_strings and getattr(values, action.dest, None) == "":
                self.error(f"{'/'.join(action.option_strings)} is empty; give {action.metavar}")
        values.further = further
        return values

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        if message.startswith(_SOMETHING_MISSING):
            # The missing argument may be there, behind an option that is misspelled.
            unknown = [word for word in self._words if self._is_unknown(word)]
            if unknown:
                raise self._not_understood(unknown)
        raise UsageError(f"{message.replace(_MARK, '')}; see {self.prog} --help")

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help. Raises OSError when that is not possible, where argparse goes on."""
        print(self.format_help(), end="", file=file)
        sys.stdout.flush()

    def format_help(self) -> str:
        """Return the help, which ends with the examples."""
        lines = [f"  {line}\n      {what}\n" for line, what in self.examples]
        return super().format_help() + "".join(["\nexamples:\n", *lines] if lines else lines)

    def _is_unknown(self, word: str) -> bool:
        return word.startswith("-") and word.partition("=")[0] not in self._option_string_actions

    def _not_understood(self, words: list[str]) -> UsageError:
        """Return what to raise of *words* that nothing was expected of."""
        unknown = next(filter(self._is_unknown, words), None)
        if unknown is None:
            shown = " ".join(words).replace(_MARK, "")
            return UsageError(f"unrecognized arguments: {shown}; see {self.prog} --help")
        option = unknown.partition("=")[0]
        meant = suggestion(option, self._option_string_actions)
        return UsageError(f"{option}: no such option{meant or f'; see {self.prog} --help'}")


def _marked(word: str) -> str:
    return f"{_MARK}{word}" if word.startswith("-") else word


def _marked_behind_dashes(words: list[str]) -> list[str]:
    """Return *words* without the first ``--``, behind which no word is an option.

    argparse takes them for options all the same where options may stand between other words.
    """
    if "--" not in words:
        return words
    place = words.index("--")
    return [*words[:place], *map(_marked, words[place + 1 :])]


def _remove_marks(values: argparse.Namespace) -> None:
    for name, value in vars(values).items():
        if isinstance(value, str):
            setattr(values, name, value.removeprefix(_MARK))
        elif isinstance(value, list):
            setattr(values, name, [word.removeprefix(_MARK) for word in value])


def _take_archives(words: list[str]) -> tuple[list[str], list[str]]:
    """Return what --archive names in *words*, and what is left of these."""
    named: list[str] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        option, separator, value = word.partition("=")
        if word == "--":
            return named, [*rest, word, *waiting]
        if option != "--archive":
            rest.append(word)
        elif separator:
            named.append(value)
        else:
            following = next(waiting, None)
            if following is None:
                rest.append(word)  # for the parser to complain about
            else:
                named.append(following)
    return named, rest


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes limits; options.parse_limits() understands its values."""
    parser.add_argument(
        "--limit",
        dest="limits",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change a limit on archives; may be repeated. kheadersfs help limits lists them",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that asks for what programs read."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def add_release(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add the option that says which kernel of several is meant; *more* is added to its help."""
    parser.add_argument(
        "--release",
        metavar="R",
        help="from an archive of several kernels, show only the one of this name or release; auto "
        f"is the running kernel's{more}",
    )


def add_pins(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which archive it must be."""
    parser.add_argument(
        "--digest",
        metavar="sha256:HEX",
        help="refuse an archive unless this is the digest that kheadersfs info prints for it",
    )
    parser.add_argument(
        "--verify-key",
        metavar="FILE",
        help="refuse an archive without a good signature by the public key in FILE: "
        "ARCHIVE.minisig for a key of minisign, ARCHIVE.sig for one of ssh-keygen -Y sign -n file",
    )


def seconds(text: str) -> float:
    """Parse a number of seconds that is not negative."""
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def positive(text: str) -> int:
    """Parse a whole number above zero."""
    value = int(text)
    if value <= 0:
        raise ValueError(text)
    return value
