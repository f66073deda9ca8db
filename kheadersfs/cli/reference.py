"""The man page and the shell completion, made from the parsers that also answer ``--help``.

One source, so they cannot disagree. ``tools/reference`` prints them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs._version import __version__
from kheadersfs.cli import COMMANDS, load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_OPENING = """\
.TH KHEADERSFS 1 "" "kheadersfs {version}" "User Commands"
.SH NAME
kheadersfs \\- kernel headers as a read\\-only file system, straight from their compressed archive
.SH SYNOPSIS
.B kheadersfs
.I command
.RI [ argument ...]
.SH DESCRIPTION
An archive of kernel headers (tar or cpio, plain or compressed with xz, zstd, gzip, bzip2 or lz4) is
mounted with FUSE. What is not looked at is not decompressed, and when the file system is
unmounted the memory is free again. Archives that
.B kheadersfs pack
made are ordinary ones with an index at the end, and are read block by block.
.SH COMMANDS
"""

_CLOSING = """\
.SH EXIT STATUS
.IP 0 4
done
.IP 1 4
failed: a full disk, a tree that changed while it was read
.IP 2 4
wrong usage
.IP 10 4
the mountpoint is missing, busy, not empty, or not ours
.IP 11 4
the archive cannot be opened
.IP 12 4
not a supported archive
.IP 13 4
a damaged archive
.IP 14 4
refused: an unsafe member, or a limit
.IP 15 4
FUSE is not available
.PP
.B kheadersfs run
returns the exit status of its command, and 127 or 126 if that cannot be started.
.SH SEE ALSO
.BR fusermount3 (1),
.BR mount (8),
.BR bpftool (8)
"""


def man_page() -> str:
    """Return the manual page in the language of man(7)."""
    parts = [_OPENING.format(version=__version__)]
    for name in COMMANDS:
        parts.extend(_man_section(name, load(name).parser()))
    return "".join(parts) + _CLOSING


def _man_section(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = parser.format_usage().removeprefix("usage: ").strip()
    yield f".SS {_roff(name)}\n.nf\n.B {_roff(' '.join(usage.split()))}\n.fi\n"
    yield f".PP\n{_roff(parser.description or '')}\n"
    for action in _options(parser):
        words = ", ".join(action.option_strings)
        if action.nargs != 0:
            words += f" {action.metavar or action.dest.upper()}"
        yield f".TP\n.B {_roff(words)}\n{_roff((action.help or '').replace('%%', '%'))}\n"


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.option_strings]


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def bash_completion() -> str:
    """Return a completion function for bash."""
    cases = "\n".join(
        f"        {name}) options='{' '.join(_option_words(name))}' ;;" for name in COMMANDS
    )
    return f"""\
# bash completion for kheadersfs
_kheadersfs() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} options=
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W '{" ".join(COMMANDS)} --help --version' -- "$current")
        return
    fi
    case ${{COMP_WORDS[1]}} in
{cases}
    esac
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}}
complete -o filenames -F _kheadersfs kheadersfs
"""


def _option_words(name: str) -> Iterator[str]:
    for action in _options(load(name).parser()):
        yield from action.option_strings
