"""An archive's entries for programs: ``ls --json``."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kheadersfs.reader import Entry


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


def print_as_json(entries: Iterable[Entry]) -> None:
    """Print *entries* as a JSON array, one a line, as they come.

    It is whole also when an error ends them. Bytes of a name that are no text are there as
    os.fsdecode() makes them, which JSON writes as half of a surrogate pair.
    """
    before = "["
    try:
        for entry in entries:
            print(f"{before}\n{json.dumps(_facts(entry))}", end="")
            before = ","
    finally:
        print("[]" if before == "[" else "\n]")


def _facts(entry: Entry) -> dict[str, object]:
    return {
        "path": entry.path,
        "type": _KINDS.get(stat.S_IFMT(entry.mode), "other"),
        "mode": f"{stat.S_IMODE(entry.mode):04o}",
        "links": entry.links,
        "inode": entry.inode,
        "size": entry.size,
        "mtime_ns": entry.mtime,
        "target": entry.target,
    }
