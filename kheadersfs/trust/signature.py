"""Detached signatures, checked by the tools that make them.

What is checked is what the tool is given through a pipe, so that the very same bytes can be served.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import KheadersfsError, RefusedArchive, UsageError, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINISIGN_SUFFIX, SSH_SUFFIX = ".minisig", ".sig"
SSH_NAMESPACE = "file"
"""What ssh-keygen(1) recommends for signatures of files."""
_SIGNER = "signer"
_KEY_SIZE_LIMIT = 64 << 10


class _Check(NamedTuple):
    """The command that checks, and the signature it reads. *package* has the command."""

    command: list[str]
    signature: str
    package: str


@contextmanager
def checking(archive: str, key: str) -> Iterator[Callable[[bytes], object]]:
    """Check the detached signature of the file *archive* with the public key in the file *key*.

    Yields a function that is to be called with all bytes of the archive. Raises RefusedArchive at
    the end of the block if the signature is not theirs, UsageError when *key* is no public key,
    KheadersfsError when the tool or the signature is missing.
    """
    with tempfile.TemporaryDirectory(prefix="kheadersfs-") as directory:
        check = _choose(archive, key, directory)
        if not os.path.exists(check.signature):
            raise RefusedArchive(
                f"{archive}: there is no {check.signature} to check with {key}; "
                "put the signature there"
            )
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
    # It may have seen enough before the end; its exit status says what it thinks.
    with suppress(BrokenPipeError):
        tool.stdin.write(piece)


def _choose(archive: str, key: str, directory: str) -> _Check:
    """Return how to check, by what kind of key there is. Raises UsageError."""
    try:
        with open(key, "rb") as file:
            content = file.read(_KEY_SIZE_LIMIT)
    except OSError as error:
        raise UsageError(f"{key}: cannot read the public key: {reason(error)}") from error
    if content.startswith((b"untrusted comment:", b"RW")):
        signature = archive + MINISIGN_SUFFIX
        command = ["minisign", "-V", "-q", "-p", key, "-x", signature, "-m", "/dev/stdin"]
        return _Check(command, signature, "minisign")
    if content.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        signature = archive + SSH_SUFFIX
        signers = os.path.join(directory, "signers")
        with open(signers, "wb") as file:
            file.writelines(
                b"%s %s\n" % (_SIGNER.encode(), line) for line in content.splitlines() if line
            )
        command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", _SIGNER]
        command += ["-n", SSH_NAMESPACE, "-s", signature]
        return _Check(command, signature, "openssh-client")
    raise UsageError(f"{key}: is neither a public key of minisign nor one of ssh-keygen")
