"""Keys, and detached signatures of archives made with them by minisign and ssh-keygen."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Signer:
    """Makes a key pair and signatures with one of the tools."""

    def __init__(self, tool: str, directory: Path) -> None:
        self._tool = tool
        self._secret = directory / "secret"
        self.public = directory / "secret.pub"
        directory.mkdir()
        if tool == "minisign":
            self._run("minisign", "-G", "-W", "-p", self.public, "-s", self._secret)
        else:
            self._run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._secret)

    def sign(self, archive: Path) -> Path:
        if self._tool == "minisign":
            self._run("minisign", "-S", "-s", self._secret, "-m", archive)
            return archive.with_name(f"{archive.name}.minisig")
        signature = archive.with_name(f"{archive.name}.sig")
        signature.unlink(missing_ok=True)
        self._run("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", self._secret, archive)
        return signature

    def _run(self, *command: str | Path) -> None:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
