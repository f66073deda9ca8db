"""Make the files that complete command lines in shells, from the parsers that answer ``--help``."""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING

from kheadersfs.cli import COMMANDS, load
from kheadersfs.cli.help import LIMITS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

GENERAL_OPTIONS = {"--help": "list the commands", "--version": "print the version"}


def bash() -> str:
    """Return a completion function for bash."""
    cases = "\n".join(
        f"        {name}) options='{' '.join(_options(name))}' words='{' '.join(_words(name))}' ;;"
        for name in COMMANDS
    )
    values = "\n".join(
        f"        {command}:{option}) words='{' '.join(choices)}' ;;"
        for command, option, choices in _options_with_choices()
    )
    first = " ".join([*COMMANDS, *GENERAL_OPTIONS])
    return f"""\
# bash completion for kheadersfs
_kheadersfs() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} options= words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W '{first}' -- "$current")
        return
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    case ${{COMP_WORDS[1]}}:${{COMP_WORDS[COMP_CWORD-1]}} in
{values}
    esac
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
        *)
            if [ -n "$words" ]; then
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
            fi
            ;;
    esac
}}
complete -o filenames -F _kheadersfs kheadersfs
"""


def zsh() -> str:
    """Return a completion function for zsh, which looks for it in a file called _kheadersfs."""
    commands = {name: command.summary for name, command in COMMANDS.items()} | GENERAL_OPTIONS
    cases = "\n".join(
        f"        {name})\n"
        f"            options=({_described(_options(name))})\n"
        f"            plain=({' '.join(_words(name))})\n"
        "            ;;"
        for name in COMMANDS
    )
    values = "\n".join(
        f"        {command}:{option}) plain=({' '.join(choices)}) ;;"
        for command, option, choices in _options_with_choices()
    )
    return f"""\
#compdef kheadersfs
_kheadersfs() {{
    local -a commands options plain
    if (( CURRENT == 2 )); then
        commands=({_described(commands)})
        _describe -t commands command commands
        return
    fi
    case $words[2] in
{cases}
    esac
    case $words[2]:$words[CURRENT-1] in
{values}
    esac
    if [[ $PREFIX == -* ]]; then
        _describe -o -t options option options
    elif (( $#plain )); then
        compadd -a plain
    else
        _files
    fi
}}
compdef _kheadersfs kheadersfs
"""


def fish() -> str:
    """Return completions for fish."""
    lines = ["# fish completion for kheadersfs"]
    line = "complete -c kheadersfs"
    for name, command in COMMANDS.items():
        lines.append(f"{line} -f -n __fish_use_subcommand -a {name} -d {quote(command.summary)}")
    for option, text in GENERAL_OPTIONS.items():
        lines.append(f"{line} -f -n __fish_use_subcommand -l {option[2:]} -d {quote(text)}")
    for name in COMMANDS:
        condition = quote(f"__fish_seen_subcommand_from {name}")
        if words := _words(name):
            lines.append(f"{line} -f -n {condition} -a {quote(' '.join(words))}")
        for action in _option_actions(name):
            kinds = " ".join(
                f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}"
                for word in action.option_strings
            )
            value = " -r" if action.nargs != 0 else ""
            if action.choices:
                value = f" -x -a {quote(' '.join(map(str, action.choices)))}"
            lines.append(f"{line} -n {condition} {kinds}{value} -d {quote(_summary(action))}")
    return "\n".join(lines) + "\n"


def _described(words: dict[str, str]) -> str:
    """Return *words*, each with what it means, as zsh's _describe takes them."""
    return " ".join(quote(f"{word}:{text}") for word, text in words.items())


def _options(command: str) -> dict[str, str]:
    """Return the options of *command*, each with what it means."""
    return {
        word: _summary(action)
        for action in _option_actions(command)
        for word in action.option_strings
    }


def _option_actions(command: str) -> Iterator[argparse.Action]:
    return (action for action in load(command).parser()._actions if action.option_strings)


def _options_with_choices() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each command, and each option of it that takes one of a few words, with these."""
    for command in COMMANDS:
        for action in _option_actions(command):
            if action.choices:
                choices = list(map(str, action.choices))
                for option in action.option_strings:
                    yield command, option, choices


def _words(command: str) -> list[str]:
    """Return what may stand where other commands take files."""
    if command == "help":  # which suggests what was meant where argparse lists what there is
        return [*COMMANDS, LIMITS]
    return [
        str(choice)
        for action in load(command).parser()._actions
        if not action.option_strings
        for choice in action.choices or ()
    ]


def _summary(action: argparse.Action) -> str:
    """Return the first of what the help of an option says."""
    return re.split(r"[;:.(,]", action.help or "")[0].strip()
