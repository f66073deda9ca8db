"""Check detached signatures by the tools that make them.

A tool gets the bytes through a pipe and not by the file's name, so the bytes that it has checked
are those that are served.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.opening import is_address, open_place
from kheadersfs.errors import (
    ArchiveUnavailable,
    KheadersfsError,
    RefusedArchive,
    UnreadableArchive,
    UsageError,
    reason,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINISIGN_SUFFIX, SSH_SUFFIX = ".minisig", ".sig"
SSH_NAMESPACE = "file"
"""What ssh-keygen(1) recommends for signatures of files."""
_SIGNER = "signer"
_KEY_SIZE_LIMIT = _SIGNATURE_SIZE_LIMIT = 64 << 10
_REGISTRY = "oci:"


class _Check(NamedTuple):
    """The command that checks, and where the signature is. *package* has the command."""

    command: list[str]
    signature: str
    package: str


class _Signature(NamedTuple):
    """A signature: what its place is called, and the file that has it."""

    place: str
    path: str


@contextmanager
def checking(archive: str, key: str) -> Iterator[Callable[[bytes], object]]:
    """Check the detached signature of *archive* with the public key in the file *key*.

    *archive* is a path, or an address without what may be secret; the signature is beside it.

    Yields a function that is to be called with all bytes of the archive. Raises RefusedArchive at
    the end of the block if the signature is not theirs, UsageError when *key* is no public key,
    KheadersfsError when the tool or the signature is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kheadersfs-") as directory:
        check = _choose(archive, key, directory)
        try:
            tool = subprocess.Popen(
                check.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise KheadersfsError(
                f"{archive}: {check.command[0]}, which checks its signature, is not installed; "
                f"install {check.package}"
            ) from None
        with tool:
            yield partial(_write, tool)
            _, complaint = tool.communicate()
        if tool.returncode != 0:
            text = " ".join(complaint.decode(errors="backslashreplace").split())
            raise RefusedArchive(
                f"{archive}: {check.signature} is not its signature by {key}: {text}; "
                "fetch both again, or use the right key"
            )


def _write(tool: subprocess.Popen[bytes], piece: bytes) -> None:
    assert tool.stdin is not None
    # A tool may stop reading before the end. Its exit status says what it has found.
    with suppress(BrokenPipeError):
        tool.stdin.write(piece)


def _choose(archive: str, key: str, directory: str) -> _Check:
    """Return how to check, by what kind of key there is. Raises UsageError, RefusedArchive."""
    try:
        with open(key, "rb") as file:
            content = file.read(_KEY_SIZE_LIMIT)
    except OSError as error:
        raise UsageError(f"{key}: cannot read the public key: {reason(error)}") from error
    if content.startswith((b"untrusted comment:", b"RW")):
        signature = _find(archive, MINISIGN_SUFFIX, key, directory)
        command = ["minisign", "-V", "-q", "-p", key, "-x", signature.path, "-m", "/dev/stdin"]
        return _Check(command, signature.place, "minisign")
    if content.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        signature = _find(archive, SSH_SUFFIX, key, directory)
        signers = os.path.join(directory, "signers")
        with open(signers, "wb") as file:
            file.writelines(
                b"%s %s\n" % (_SIGNER.encode(), line) for line in content.splitlines() if line
            )
        command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", _SIGNER]
        command += ["-n", SSH_NAMESPACE, "-s", signature.path]
        return _Check(command, signature.place, "openssh-client")
    raise UsageError(f"{key}: is neither a public key of minisign nor one of ssh-keygen")


def _find(archive: str, suffix: str, key: str, directory: str) -> _Signature:
    """Return the signature beside *archive*; if that is an address, fetched into *directory*.

    Raises RefusedArchive when there is none, UsageError for a registry, which has nothing beside.
    """
    place = archive + suffix
    if not is_address(archive):
        if not os.path.exists(place):
            raise RefusedArchive(
                f"{archive}: there is no {place} to check with {key}; put the signature there"
            )
        return _Signature(place, place)
    if archive.startswith(_REGISTRY):
        raise UsageError(
            f"{archive}: in a registry there is no signature beside an archive; name the archive "
            "by its digest: oci://REGISTRY/REPOSITORY@sha256:HEX"
        )
    try:
        with closing(open_place(place)) as source:
            content = source.read_at(0, min(source.size, _SIGNATURE_SIZE_LIMIT))
    except (ArchiveUnavailable, UnreadableArchive) as error:
        raise RefusedArchive(f"{archive}: there is no signature to check: {error}") from error
    path = os.path.join(directory, "signature")
    with open(path, "wb") as file:
        file.write(content)
    return _Signature(place, path)
