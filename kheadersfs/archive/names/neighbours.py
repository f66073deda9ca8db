"""Files that are new in directories that are known, taken into these: many in one loop."""

from __future__ import annotations

import stat
from itertools import accumulate
from typing import TYPE_CHECKING

from kheadersfs.archive.names.page import LATEST, NAME_LIMIT

if TYPE_CHECKING:
    from kheadersfs.archive.member import Files
    from kheadersfs.archive.names.inodes import Children, Inodes

NO_NAMES = frozenset((b"", b".", b".."))
"""Last parts of a path that are not names."""
_SET_ID = stat.S_ISUID | stat.S_ISGID


def are_plain(files: Files) -> bool:
    """Tell whether the modes and times of *files* can be taken as they are."""
    set_id = any(mode & _SET_ID for mode in set(files.modes))
    return not set_id and max(files.mtimes, default=0) <= LATEST


def add_neighbours(
    files: Files,
    first: int,
    start: int,
    inodes: Inodes,
    directories: dict[bytes, Children],
    longest: int,
) -> int:
    """Add those of *files*, which are plain, from the *first* on to *inodes*.

    Their content is at *start* of the stream and on. Returns how many: it ends at a name that is
    not just a new one in one of the *directories*, or whose path is longer than a name or than
    *longest* bytes.
    """
    row = before = len(inodes.modes)
    plain = min(longest, NAME_LIMIT)  # then a part of it is not too long either
    for path in files.names[first:]:
        head, slash, name = path.rpartition(b"/")
        directory = directories.get(head)
        # Of an absolute name too the head is empty.
        if directory is None or name in directory or name in NO_NAMES or (slash and not head):
            break
        if len(path) > plain:
            break
        directory[name] = row
        row += 1
    end = first + row - before
    sizes = files.sizes[first:end]
    inodes.modes.extend(files.modes[first:end])
    inodes.mtimes.extend(files.mtimes[first:end])
    inodes.sizes.extend(sizes)
    if any(sizes):
        positions = accumulate(sizes, initial=start)
        starts = [at if size else 0 for size, at in zip(sizes, positions, strict=False)]
    else:
        starts = sizes  # all of them zeros, as it has to be
    inodes.starts.extend(starts)
    return row - before
