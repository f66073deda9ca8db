"""Read all of an archive, and compare its index with its members."""

from __future__ import annotations

import stat
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.compression.decoding import open_stream
from kheadersfs.archive.fleet.table import FleetTable
from kheadersfs.archive.fleet.verifying import require_all_names
from kheadersfs.archive.onepass import read_in_one_pass
from kheadersfs.errors import DamagedArchive
from kheadersfs.limits import Meter
from kheadersfs.store import Store
from kheadersfs.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.names.table import Table
    from kheadersfs.archive.opening import Archive
    from kheadersfs.reader import HeaderArchive


class Verified(NamedTuple):
    """What was found right: so many inodes, with so many bytes of content.

    ``refused`` counts members that were left out; ``indexed``, ``checked`` and ``notes`` are those
    of Content and Archive.
    """

    inodes: int
    content_size: int
    indexed: bool
    checked: bool
    refused: int
    notes: list[str]


def verify(archive: HeaderArchive, progress: Callable[[int, int], None]) -> Verified:
    """Decode every byte of *archive*; its index must agree with what tar or cpio readers see.

    *progress* is called with the number of inodes done and the number there are. Raises
    DamagedArchive naming what does not fit, RefusedArchive when it is beyond a limit.
    """
    content = archive.content
    if content.damage or content.warning:
        raise DamagedArchive(content.damage or content.warning)
    if isinstance(content.table, FleetTable):
        # An index of a hundred kernels is not compared with a table of all their names.
        require_all_names(content.table, content.blocks, progress)
    elif content.indexed:
        _compare_with_members(archive, content.table, progress)
    blocks = archive.archive.blocks
    if blocks is not None and len(blocks) > 1:
        # Reading members may end before the last block, which may have the index alone.
        _decode_all(archive.archive)
    return Verified(
        len(archive.tree),
        archive.tree.content_size(),
        content.indexed,
        archive.archive.checked,
        len(content.refusals),
        content.notes,
    )


def _decode_all(container: Archive) -> None:
    """Decode every block, also those that hold no member."""
    source, limits = container.source, container.limits
    meter = Meter(source.name, source.size, limits)
    with closing(open_stream(source, container.kind, container.blocks, limits)) as decoded:
        for size in decoded.finish():
            meter.count(size)


def _compare_with_members(
    archive: HeaderArchive, table: Table, progress: Callable[[int, int], None]
) -> None:
    """Compare names, attributes and bytes with those of the archive's members."""
    container = archive.archive
    read = read_in_one_pass(container)
    if read.damage:
        raise DamagedArchive(read.damage)
    name = container.source.name
    actual = read.table.whole()
    # Starts differ: they are offsets into streams that are laid out differently.
    if table.whole()._replace(inode_start=actual.inode_start) != actual:
        raise DamagedArchive(f"{name}: its index does not list its members; repack it")
    actual_tree, actual_store = Tree(read.table), Store(read.blocks)
    for inode in range(1, len(actual_tree) + 1):
        progress(inode, len(actual_tree))
        if not stat.S_ISREG(actual.inode_mode[inode - 1]):
            continue
        expected = actual_store.read(*actual_tree.extent(inode))
        if archive.store.read(*archive.tree.extent(inode)) != expected:
            path = archive.tree.path(inode).decode(errors="backslashreplace")
            raise DamagedArchive(f"{name}: {path}: its index points to other content; repack it")
