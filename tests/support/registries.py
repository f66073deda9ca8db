"""Debian's docker-registry on the loopback, and what pushes to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.support.servers import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {place}/storage}}}}
http: {{addr: "127.0.0.1:{port}"}}
{more}
"""
_ORAS = """
import sys
from oras.client import OrasClient
_, command, target, *files = sys.argv
assert command == "push"
client = OrasClient(hostname=target.partition("/")[0], insecure=True)
client.push(target=target, files=files, disable_path_validation=True)
"""


class Registry(NamedTuple):
    """A running registry at ``host``."""

    host: str

    def push(self, name: str, *files: Path) -> str:
        """Push *files* as *name*. Returns the address."""
        target = f"{self.host}/{name}"
        command = [sys.executable, "-W", "ignore", "-c", _ORAS, "push"]
        if program := shutil.which("oras"):
            command = [program, "push", "--disable-path-validation"]
        subprocess.run([*command, target, *map(str, files)], check=True, capture_output=True)
        return f"oci://{target}"


def install_oras(directory: Path) -> None:
    """Put a program ``oras`` into *directory* unless the one of this name is installed.

    It pushes like that one, which is a package of Debian since Debian 13, by the library of the
    same project, which is one of Python.
    """
    if shutil.which("oras"):
        return
    program = directory / "oras"
    program.write_text(f"#!{sys.executable} -Wignore\n{_ORAS}")
    program.chmod(0o755)


@contextmanager
def registry_in(place: Path, more: str = "") -> Iterator[Registry]:
    """Run a registry with *more* in its configuration."""
    place.mkdir(exist_ok=True)
    port = free_port()
    configuration = place / "registry.yml"
    configuration.write_text(_CONFIGURATION.format(place=place, port=port, more=more))
    with running(["docker-registry", "serve", str(configuration)], port, place):
        yield Registry(f"localhost:{port}")  # to which oras does not speak TLS
