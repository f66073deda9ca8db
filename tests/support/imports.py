"""What commands import, as an interpreter of its own says."""

from __future__ import annotations

import subprocess
import sys

WHILE_IT_WORKS = {
    "mount": "kheadersfs.archive.compression.xz_blocks",
    "run": "kheadersfs.archive.compression.xz_blocks",
}
"""What a command imports besides, for an archive of the kind that the kernel makes."""

_SERVER = """
import sys; before = set(sys.modules)
import kheadersfs.cli.mount
from kheadersfs.archive.compression.{kind}_blocks import {Kind}Blocks
from kheadersfs.archive.compression.kinds import KINDS
from kheadersfs.fuse import daemon, log, signals
from kheadersfs.mount import guardian
daemon.import_server()
next(kind for kind in KINDS if kind.name == "{kind}").prepare_blocks()
print(*(sys.modules.keys() - before))
"""


def imported_with(command: str) -> set[str]:
    """Return what an interpreter has imported besides what it starts with, for *command*."""
    if command == "server":
        return imported_by_server("xz")
    return imported_by(f"kheadersfs.cli.{command}", WHILE_IT_WORKS.get(command, "sys"))


def imported_by_server(kind: str) -> set[str]:
    """Return what the server of a mount imports, which is forked from the command, for an archive
    with an index that is compressed in this way.
    """
    return _said(_SERVER.format(kind=kind, Kind=kind.capitalize()))


def imported_by(*names: str) -> set[str]:
    """Return what the modules with *names* bring besides what an interpreter starts with."""
    script = (
        "import sys; before = set(sys.modules)\n"
        f"import {', '.join(names)}\n"
        "print(*(sys.modules.keys() - before))"
    )
    return _said(script)


def _said(script: str) -> set[str]:
    """Return the words that a Python *script* prints."""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())
