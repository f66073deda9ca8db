"""Write the record of a mount: the paths of the files that were opened, in order of first use."""

from __future__ import annotations

import errno
import os

from kheadersfs.errors import KheadersfsError, reason, room_advice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from kheadersfs.tree import Tree


def write_record(descriptor: int, tree: Tree | None, opened: Iterable[int]) -> None:
    """Write the paths of the inodes *opened* to *descriptor*, one a line, and close it.

    *tree* is None if the archive has not been read; then there are no paths. What an earlier run
    has written is removed. Raises KheadersfsError.
    """
    try:
        with os.fdopen(descriptor, "wb") as record:
            _empty(record)
            if tree is not None:
                record.writelines(path + b"\n" for path in paths_of(tree, opened))
    except OSError as error:
        advice = room_advice(error) or "write it elsewhere"
        raise KheadersfsError(f"the record cannot be written: {reason(error)}; {advice}") from error


def paths_of(tree: Tree, opened: Iterable[int]) -> Iterator[bytes]:
    """Yield the paths of the inodes *opened*, but none of a generated file."""
    for inode in opened:
        if inode <= len(tree):  # the generated file has the number behind the tree's last
            yield tree.path(inode)


def _empty(record: BinaryIO) -> None:
    """Empty *record*, which may also be a pipe or a device. Raises OSError."""
    try:
        record.truncate(0)
    except OSError as error:
        if error.errno != errno.EINVAL:  # which a pipe and a device answer
            raise
