"""Compares an index of several kernels with the headers of all members of its archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.fleet.lookup import FleetLookup
from kheadersfs.archive.walking import walk_members
from kheadersfs.errors import DamagedArchive

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.blocks.table import BlockTable
    from kheadersfs.archive.fleet.table import FleetTable


def require_all_names(
    table: FleetTable, blocks: BlockTable, progress: Callable[[int, int], None]
) -> None:
    """Check that each name in *table* has exactly one header in *blocks*.

    The archive's root need not have one. Decoding a block checks whatever else its headers say.
    *progress* is called with the number of blocks that are done and the number of all. Raises
    DamagedArchive.
    """
    table.check()
    seen: dict[int, int] = {}
    """For each inode number, the kernels, as bits, that have had a header for it."""
    for number in range(len(blocks)):
        progress(number, len(blocks))
        lookup = FleetLookup(table)
        for member in walk_members(blocks.decode(number), is_last=number + 1 == len(blocks)):
            inode = lookup.inode_at(member.name)
            kernel = table.kernel_number(member.name.partition(b"/")[0])
            bit = 0 if kernel is None else 1 << kernel
            if seen.get(inode, 0) & bit or (not bit and inode in seen):
                raise _other(blocks, member.name, "has several headers")
            seen[inode] = seen.get(inode, 0) | bit
    for name, root in table.roots():
        if root not in seen:
            raise _other(blocks, name, "has no header")
    for path, inode, members in table.walk():
        if inode < table.versions_end:
            is_there = seen.get(inode) == members
        else:
            place = table.place(inode)
            is_there = all(
                table.inode_of(place._replace(kernel=number)) in seen
                for number in range(len(table.kernels))
                if members >> number & 1
            )
        if not is_there:
            raise _other(blocks, path, "has no header for one of its kernels")


def _other(blocks: BlockTable, name: bytes, what: str) -> DamagedArchive:
    shown = name.decode(errors="backslashreplace")
    return DamagedArchive(
        f"{blocks.name}: its index does not list its members: {shown} {what}; repack it"
    )
