"""What commands import, as an interpreter of its own says."""

from __future__ import annotations

import subprocess
import sys

WHILE_IT_WORKS = {
    "mount": "kheadersfs.archive.compression.xz_blocks",
    "run": "kheadersfs.archive.compression.xz_blocks",
}
"""What a command imports besides, for an archive of the kind that the kernel makes."""


def imported_with(command: str) -> set[str]:
    """Return what an interpreter has imported besides what it starts with, for *command*."""
    return imported_by(f"kheadersfs.cli.{command}", WHILE_IT_WORKS.get(command, "sys"))


def imported_by(*names: str) -> set[str]:
    """Return what the modules with *names* bring besides what an interpreter starts with."""
    script = (
        "import sys; before = set(sys.modules)\n"
        f"import {', '.join(names)}\n"
        "print(*(sys.modules.keys() - before))"
    )
    return set(
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True
        ).stdout.split()
    )
