"""Everything that can go wrong, as one small tree.

Each class is one exit status of the command line, so a caller of the Python
API and a shell script tell the same cases apart. A message is one line and
says what failed, on what, and what to do about it.
"""

from __future__ import annotations

import errno
import os

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class KheadersfsError(Exception):
    """Work failed: a full disk, a source tree that changed, a failed helper."""

    exit_status = 1


class UsageError(KheadersfsError):
    """The arguments do not make sense together, or name the wrong kind of thing."""

    exit_status = 2


class MountpointError(KheadersfsError):
    """The mountpoint is missing, busy, not empty, or not ours."""

    exit_status = 10


class ArchiveUnavailable(KheadersfsError):
    """The archive cannot be opened or read."""

    exit_status = 11


class UnsupportedArchive(KheadersfsError):
    """The file is readable but is no archive that we can serve."""

    exit_status = 12


class DamagedArchive(KheadersfsError):
    """The archive is truncated, corrupt, or contradicts itself."""

    exit_status = 13


class UnreadableArchive(DamagedArchive):
    """The archive cannot be read at this moment: a later attempt may succeed."""

    exit_status = ArchiveUnavailable.exit_status


class RefusedArchive(KheadersfsError):
    """The archive is well-formed but unsafe or over a limit."""

    exit_status = 14


class FuseUnavailable(KheadersfsError):
    """FUSE cannot be used: no device, no permission, or a part is not installed."""

    exit_status = 15


class NotInArchive(UsageError):
    """The archive is good, and nothing in it has the name that was asked for."""

    exit_status = 16


_KINDS = {
    kind.exit_status: kind
    for kind in (
        UsageError,
        MountpointError,
        ArchiveUnavailable,
        UnsupportedArchive,
        DamagedArchive,
        RefusedArchive,
        FuseUnavailable,
        NotInArchive,
    )
}
"""The class that each status stands for. It is a list, as others may derive classes from these."""


FAILURES = frozenset((KheadersfsError.exit_status, *_KINDS))
"""All exit statuses of our errors."""


def error_of_status(status: int) -> type[KheadersfsError]:
    """Return the class whose exit status is *status*; the base class for any other."""
    return _KINDS.get(status, KheadersfsError)


def quoted(path: str) -> str:
    """Return *path* as a shell takes it, for a command in a message.

    All of it is printable, so that escaped() leaves it as it is. Bytes that are not are there as
    POSIX says since 2024, and as bash, zsh and busybox know them.
    """
    from shlex import quote  # 6 ms, which only complaints pay

    if path.isprintable():
        return quote(path)
    return f"$'{''.join(map(_in_dollar_quotes, os.fsencode(path)))}'"


def _in_dollar_quotes(byte: int) -> str:
    character = chr(byte)
    return character if " " <= character <= "~" and character not in "'\\" else f"\\{byte:03o}"


def escaped(text: str) -> str:
    """Return *text* with everything escaped that is not for printing, so that it is one line."""
    if text.isprintable():
        return text
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte of a name that is no text
        return f"\\x{ord(character) & 0xFF:02x}"
    return ascii(character)[1:-1]


def damaged(archive: str, what: str) -> DamagedArchive:
    """Return what to raise when *what* is wrong with how the file *archive* is put together."""
    return DamagedArchive(f"{archive}: {what}: it is truncated or damaged; make or fetch it again")


def without_members(archive: str) -> DamagedArchive:
    """Return what to raise when there is nothing in *archive*."""
    return DamagedArchive(f"{archive}: is empty: it has no members; make or fetch it again")


def output_error(error: OSError) -> KheadersfsError:
    """Return what to report for *error*, of writing to standard output.

    Errors of files have the file's name, and are one of ours before they come far: one that has
    none is of the output, or of the working directory. Raises *error* again if it has a name.
    """
    if error.filename is not None:
        raise error
    if isinstance(error, FileNotFoundError):  # nothing is too absent to be written to
        return KheadersfsError("the working directory has been removed; change to another one")
    advice = room_advice(error) or "write elsewhere"
    return KheadersfsError(f"standard output cannot be written to: {reason(error)}; {advice}")


def room_advice(error: OSError) -> str:
    """Return what to do about *error* if it is for want of room, else nothing."""
    return "free some space, or write elsewhere" if error.errno in _NO_ROOM else ""


def absent_directory(path: str, error: OSError) -> str | None:
    """Return what to say of *error*, of creating *path*, if that is for want of a directory."""
    if not isinstance(error, FileNotFoundError):
        return None
    for directory in (os.path.dirname(path) or ".", os.path.dirname(os.path.realpath(path))):
        if not os.path.lexists(directory):
            return f"{directory}: no such directory; make it: mkdir -p {quoted(directory)}"
    return None


def memory_error() -> KheadersfsError:
    """Return what to report when there is no memory left for the work."""
    return KheadersfsError(
        "there is too little memory; end other programs, or raise the limit on it (ulimit -v)"
    )


def reason(error: OSError) -> str:
    """Return the system's own words for *error*, without errno and path, for use in a message."""
    return error.strerror or str(error)
