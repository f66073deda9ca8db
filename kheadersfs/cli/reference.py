"""The man page and the shell completion, made from the parsers that also answer ``--help``.

One source, so they cannot disagree. ``tools/reference`` prints them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kheadersfs._version import __version__
from kheadersfs.cli import COMMANDS, helper, load
from kheadersfs.limits import DEFAULT_LIMITS, SUBJECTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_OPENING = """\
.TH KHEADERSFS 1 "" "kheadersfs {version}" "User Commands"
.ad l
.nh
.SH NAME
kheadersfs \\- kernel headers as a read\\-only file system, straight from their compressed archive
.SH SYNOPSIS
.B kheadersfs
.I command
.RI [ argument ...]
.PP
.B mount \\-t fuse.kheadersfs
.I archive mountpoint
.SH DESCRIPTION
An archive of kernel headers (tar or cpio, plain or compressed with xz, zstd, gzip, bzip2 or lz4) is
mounted with FUSE; when it is unmounted, the memory is free again. Archives that
.B kheadersfs pack
and
.B repack
make are ordinary ones with an index at the end, and of these only the blocks that are read are
decompressed. Any other is read as a whole when somebody first looks.
.PP
In a mount of the running kernel's own headers there is also
.IR include/vmlinux.h ,
with all the kernel's types, made from its BTF when somebody looks; with
.B \\-\\-btf
it is in any mount.
.SH COMMANDS
"""

_LIMITS = """\
.SH LIMITS
An archive that is over a limit is refused, for what it costs to read it is up to whoever made it.
The ratio of compression counts for what decompresses to more than 64 MiB. Times are those of the
clock for reading an archive's names, of a processor for decoding a block. Members beyond path,
depth or target are left out, unless there is an index.
"""

_CLOSING = """\
.SH EXAMPLES
.TP
.B kheadersfs run \\-\\- make
compile with the running kernel's headers, at $KHEADERS
.TP
.B kheadersfs mount kheaders.tar.xz ~/headers
.TQ
.B kheadersfs umount ~/headers
the same by hand, with the headers of any kernel
.TP
.B kheadersfs mount
as root: the running kernel's headers, where bcc and bpftrace look
.TP
.B kheadersfs repack /sys/kernel/kheaders.tar.xz kheaders.tar.zst
make the running kernel's own archive one that is read block by block
.TP
.B kheadersfs pack \\-\\-srctree linux \\-o kheaders.tar.xz
make one of a kernel tree
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
the archive cannot be opened or read
.IP 12 4
not a supported archive
.IP 13 4
a damaged archive
.IP 14 4
refused: an unsafe member, a limit, or the headers of another kernel
.IP 15 4
FUSE is not available
.PP
.B kheadersfs run
returns the exit status of its command, and 127 or 126 if that cannot be started.
.SH ENVIRONMENT
.TP
.BR KHEADERS ", " BCC_KERNEL_SOURCE ", " BPFTRACE_KERNEL_SOURCE ", " BPFTRACE_KERNEL_BUILD
where the headers are, for the command that
.B kheadersfs run
starts
.TP
.B XDG_CACHE_HOME
where users other than root keep packed header trees, in
.IR kheadersfs ;
.I \\(ti/.cache
if it is not set
.SH FILES
The running kernel's headers are looked for in this order:
.TP
.I /sys/kernel/kheaders.tar.xz
of a kernel with CONFIG_IKHEADERS; its module is loaded if need be, and unloaded again
.TP
.I /usr/lib/kheaders/RELEASE.tar.xz
or with another ending of a supported archive
.TP
.I /boot/kheaders\\-RELEASE.tar.xz
likewise
.TP
.IR /lib/modules/RELEASE/build ", " /usr/src/linux\\-headers\\-RELEASE ", " \\
/usr/src/kernels/RELEASE
header trees, packed into
.IR /var/cache/kheadersfs ,
and anew when they change
.SH SEE ALSO
.BR fusermount3 (1),
.BR fstab (5),
.BR mount (8),
.BR bpftool (8)
"""


def man_page() -> str:
    """Return the manual page in the language of man(7)."""
    parts = [_OPENING.format(version=__version__)]
    for name in COMMANDS:
        parts.extend(_man_section(name, load(name).parser()))
    mounting = helper.parser()
    parts.extend(_man_section(mounting.prog, mounting))
    parts.append(_LIMITS)
    defaults = DEFAULT_LIMITS._asdict()
    parts.extend(
        f".TP\n.B {name}\n{subject.rstrip(',')}; {defaults[name]}\n"
        for name, subject in SUBJECTS.items()
    )
    return "".join(parts) + _CLOSING


def _man_section(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    # A line may be broken between options, not within one.
    usage = re.sub(r"\[[^]]*\]", lambda option: option[0].replace(" ", r"\ "), _roff(usage))
    yield f".SS {_roff(name)}\n.B {usage}\n"
    yield f".PP\n{_roff(parser.description or '')}\n"
    for action in parser._actions:
        words = ", ".join(action.option_strings)
        if action.nargs != 0:
            words += f" {action.metavar or action.dest.upper()}"
        if action.help:
            yield f".TP\n.B {_roff(words.lstrip())}\n{_roff(action.help.replace('%%', '%'))}\n"


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
