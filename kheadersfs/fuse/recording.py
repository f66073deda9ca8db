"""The record of a run: the paths of the files that were opened, in order of first use."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, BinaryIO

from kheadersfs.errors import KheadersfsError, reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kheadersfs.tree import Tree


def write_record(descriptor: int, tree: Tree | None, opened: Iterable[int]) -> None:
    """Write the paths of the inodes *opened* to *descriptor*, a line each, and close it.

    There is no *tree* when nothing was read. Raises KheadersfsError.
    """
    try:
        with os.fdopen(descriptor, "wb") as record:
            _empty(record)
            if tree is not None:
                record.writelines(path + b"\n" for path in paths_of(tree, opened))
    except OSError as error:
        raise KheadersfsError(f"the record cannot be written: {reason(error)}") from error


def paths_of(tree: Tree, opened: Iterable[int]) -> Iterator[bytes]:
    """Yield the paths of the inodes *opened*, without files that were made here."""
    for inode in opened:
        if inode <= len(tree):  # a file that was made here is in no archive
            yield tree.path(inode)


def _empty(record: BinaryIO) -> None:
    """Remove what an earlier run wrote; in a pipe or a device nothing can be, and nothing is."""
    try:
        record.truncate(0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
