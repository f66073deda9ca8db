"""The manual pages, made from the parsers that also answer ``--help``: they cannot disagree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kheadersfs._version import __version__
from kheadersfs.cli import COMMANDS, helper, load
from kheadersfs.cli.help import (
    LIMITS_EXPLAINED,
    RUN_STATUS,
    STATUSES,
    limits_and_defaults,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kheadersfs.cli.arguments import Parser

# No option is hyphenated. Since groff 1.24 each paragraph undoes nh, and looks at HY.
_OPENING = """\
.TH KHEADERSFS 1 "" "kheadersfs {version}" "User Commands"
.ad l
.nh
.nr HY 0
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
kheadersfs mounts an archive of kernel headers with FUSE. An archive is a tar or cpio, plain or
compressed with xz, zstd, gzip, bzip2 or lz4. Unmounting frees the memory.
.PP
Archives that
.B kheadersfs pack
and
.B repack
make are ordinary archives with an index at the end. From these only the blocks that are read are
decompressed. Any other archive is read as a whole when somebody first looks.
.PP
A mount of the running kernel's own headers also has
.IR include/vmlinux.h ,
with all the kernel's types. It is made from the kernel's BTF when somebody looks. With
.B \\-\\-btf
any mount has it.
.SH COMMANDS
"""

_EXAMPLES = """\
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
.B kheadersfs repack /sys/kernel/kheaders.tar.xz \\-o kheaders.tar.zst
turn the running kernel's own archive into one that is read block by block
.TP
.B kheadersfs pack \\-\\-srctree linux \\-o kheaders.tar.xz
make such an archive of a kernel tree
"""

_SURROUNDINGS = """\
.SH ENVIRONMENT
.TP
.BR KHEADERS ", " BCC_KERNEL_SOURCE ", " BPFTRACE_KERNEL_SOURCE ", " BPFTRACE_KERNEL_BUILD
where the headers are, for the command that
.B kheadersfs run
starts
.TP
.B XDG_CACHE_HOME
where users other than root keep packed header trees and packages, in
.IR kheadersfs ;
.I \\(ti/.cache
if it is not set
.SH FILES
The running kernel's headers are looked for in this order:
.TP
.I /sys/kernel/kheaders.tar.xz
of a kernel with CONFIG_IKHEADERS; its module is loaded if necessary, and unloaded again
.TP
.I /usr/lib/kheaders/RELEASE.tar.xz
or with another ending of a supported archive
.TP
.I /boot/kheaders\\-RELEASE.tar.xz
likewise
.TP
.I \\(ti/.cache/kheadersfs/fetched/RELEASE.tar.zst
what
.B kheadersfs fetch
has written for a user other than root
.TP
.IR /lib/modules/RELEASE/build ", " /usr/src/linux\\-headers\\-RELEASE ", " \\
/usr/src/kernels/RELEASE
header trees, packed into
.IR /var/cache/kheadersfs ,
and packed again when they change
.SH SEE ALSO
.BR mount.fuse.kheadersfs (8),
.BR fusermount3 (1),
.BR fstab (5),
.BR mount (8),
.BR bpftool (8)
"""

_HELPER_OPENING = """\
.TH MOUNT.FUSE.KHEADERSFS 8 "" "kheadersfs {version}" "System Administration"
.ad l
.nh
.nr HY 0
.SH NAME
mount.fuse.kheadersfs \\- mount an archive of kernel headers
.SH SYNOPSIS
.B mount \\-t fuse.kheadersfs
.RB [ \\-o
.IR options ]
.I archive mountpoint
.PP
.B {usage}
"""
_HELPER_SEE_ALSO = """\
.SH SEE ALSO
.BR kheadersfs (1),
.BR fstab (5),
.BR systemd.automount (5),
.BR mount (8)
"""


def command_page() -> str:
    """Return the manual page of kheadersfs, in section 1, in the language of man(7)."""
    parts = [_OPENING.format(version=__version__)]
    for name in COMMANDS:
        parts.extend(_command_section(name, load(name).parser()))
    parts.append(f".SH LIMITS\n{_roff(LIMITS_EXPLAINED)}\n")
    parts.extend(f".TP\n.B {name}\n{text}\n" for name, text in limits_and_defaults().items())
    return "".join([*parts, _EXAMPLES, *_statuses(), f".PP\n{_roff(RUN_STATUS)}\n", _SURROUNDINGS])


def helper_page() -> str:
    """Return the manual page of mount.fuse.kheadersfs, in section 8."""
    parser = helper.parser()
    of_command = next(
        action for action in load("mount").parser()._actions if "-o" in action.option_strings
    )
    parts = [
        _HELPER_OPENING.format(version=__version__, usage=_usage(parser)),
        f".SH DESCRIPTION\n{_roff(parser.description or '')}\n",
        ".SH OPTIONS\n",
        *_arguments(parser),
        f".PP\nThe options of\n.B \\-o\nare {_roff(of_command.help or '')}.\n",
        ".SH EXAMPLES\n",
        *_examples(parser),
    ]
    return "".join([*parts, *_statuses(), _HELPER_SEE_ALSO])


def _command_section(name: str, parser: Parser) -> Iterator[str]:
    yield f".SS {_roff(name)}\n.B {_usage(parser)}\n"
    yield f".PP\n{_roff(parser.description or '')}\n"
    yield from _arguments(parser)
    yield ".PP\nExamples:\n"
    yield from _examples(parser)


def _usage(parser: Parser) -> str:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    # A line may be broken between options, not within one.
    return re.sub(r"\[[^]]*\]", lambda option: option[0].replace(" ", r"\ "), _roff(usage))


def _arguments(parser: Parser) -> Iterator[str]:
    for action in parser._actions:
        words = ", ".join(action.option_strings)
        if action.nargs != 0:
            words += f" {action.metavar or action.dest.upper()}"
        if action.help:
            yield f".TP\n.B {_roff(words.lstrip())}\n{_roff(action.help.replace('%%', '%'))}\n"


def _examples(parser: Parser) -> Iterator[str]:
    for line, what in parser.examples:
        yield f".TP\n.B {_roff(line)}\n{_roff(what)}\n"


def _statuses() -> Iterator[str]:
    yield ".SH EXIT STATUS\n"
    yield from (f".IP {status} 4\n{_roff(meaning)}\n" for status, meaning in STATUSES.items())


def _roff(text: str) -> str:
    """Return *text* as troff takes it for itself."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
