"""Changes to an index of several kernels that make it lie, and the archives that then have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.archive.compression.xz_blocks import XzBlocks
from kheadersfs.archive.fleet import index as fleet
from kheadersfs.archive.fleet.building import Version, unite
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.limits import UNLIMITED
from tests.attacks.lies import with_last_block

if TYPE_CHECKING:
    from collections.abc import Callable

Versions = dict[bytes, list[Version]]


def with_versions(packed: bytes, change: Callable[[Versions], Versions]) -> bytes:
    """Return the archive *packed*, of several kernels, with its index changed and checksums right.

    *change* is given what the index has at each path, in pages of few names.
    """
    blocks = Archive(BytesSource(packed)).blocks
    assert isinstance(blocks, XzBlocks)
    last = len(blocks) - 1
    starts = blocks.starts[: last + 1]
    index = fleet.decode(embedded.find(blocks.decode(last)), starts, "index", UNLIMITED)
    table = index.table
    versions: Versions = {}
    for path, inode, members in table.walk():
        mode, mtime, size, _ = table.described(inode)
        is_file = inode < table.versions_end and not mode & 0o20000
        start = table.extent(inode)[0] if is_file else 0
        target = b"" if is_file or inode >= table.versions_end else table.target(inode)
        version = Version(members, mode, mtime, 0 if target else size, start, target)
        versions.setdefault(path, []).append(version)
    union = unite(table.root, table.kernels, change(versions), starts[:-1], page_entries=4)
    lying = fleet.encode(union, index.digests, index.hot_blocks, starts[-1])
    return with_last_block(blocks, lying)
