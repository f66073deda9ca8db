"""Files that are new in directories that are known, taken into these: many in one loop."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from kheadersfs.archive.names.page import LATEST, NAME_LIMIT

if TYPE_CHECKING:
    from kheadersfs.archive.member import Files
    from kheadersfs.archive.names.inodes import Children, Inodes

NO_NAMES = frozenset((b"", b".", b".."))
"""Last parts of a path that are not names."""
_SET_ID = stat.S_ISUID | stat.S_ISGID


def add_neighbours(
    files: Files,
    first: int,
    start: int,
    inodes: Inodes,
    directories: dict[bytes, Children],
    longest: int,
) -> int:
    """Add those of *files* from the *first* on to *inodes*, with their content at *start* and on.

    Returns how many: it ends at a mode or time that cannot be taken as it is, and at a name that is
    not just a new one in one of the *directories*, or whose path is longer than a name or than
    *longest* bytes.
    """
    row = before = len(inodes.modes)
    plain = min(longest, NAME_LIMIT)  # then a part of it is not too long either
    starts = []
    columns = zip(files.names[first:], files.modes[first:], files.mtimes[first:], strict=True)
    for size, (path, mode, mtime) in zip(files.sizes[first:], columns, strict=True):
        head, slash, name = path.rpartition(b"/")
        directory = directories.get(head)
        # Of an absolute name too the head is empty.
        if directory is None or name in directory or name in NO_NAMES or (slash and not head):
            break
        if len(path) > plain or mode & _SET_ID or mtime > LATEST:
            break
        directory[name] = row
        row += 1
        starts.append(start if size else 0)
        start += size
    end = first + row - before
    inodes.modes.extend(files.modes[first:end])
    inodes.mtimes.extend(files.mtimes[first:end])
    inodes.sizes.extend(files.sizes[first:end])
    inodes.starts.extend(starts)
    return row - before
