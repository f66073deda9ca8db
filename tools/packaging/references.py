"""Write what is made from the commands into a directory: manual pages and completions.

python3 tools/packaging/references.py DIRECTORY, from the top of the sources.
"""

from __future__ import annotations

import sys
from pathlib import Path

REFERENCES = {
    "man": "kheadersfs.1",
    "man8": "mount.fuse.kheadersfs.8",
    "bash": "kheadersfs",
    "zsh": "_kheadersfs",
    "fish": "kheadersfs.fish",
}
"""What ``kheadersfs reference`` prints, and what a file of it is called."""


def write_references(directory: Path) -> None:
    """Write each of REFERENCES into *directory*."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        from kheadersfs.cli.reference import KINDS
    finally:
        del sys.path[0]
    directory.mkdir(parents=True, exist_ok=True)
    for kind, name in REFERENCES.items():
        (directory / name).write_text(KINDS[kind](), encoding="utf-8")


if __name__ == "__main__":
    write_references(Path(sys.argv[1]))
