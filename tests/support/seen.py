"""What an archive's members come to: as extracted on a disk, and as we show it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.archive.names.table import Table
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.store import Store
from kheadersfs.tree import tree_of

if TYPE_CHECKING:
    from kheadersfs.archive.fleet.table import FleetTable


class Seen(NamedTuple):
    """A name, as far as its member determines it: a directory's time is that of its content."""

    mode: int
    mtime: int
    links: int
    content: bytes


def seen_on_disk(directory: Path) -> dict[bytes, Seen]:
    """Return what lies below *directory*, by path."""
    top = os.fsencode(directory)
    seen: dict[bytes, Seen] = {}
    for place, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(place, name)
            status = os.lstat(path)
            mtime, content = status.st_mtime_ns, b""
            if stat.S_ISDIR(status.st_mode):
                mtime = 0
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            else:
                content = Path(os.fsdecode(path)).read_bytes()
            seen[os.path.relpath(path, top)] = Seen(status.st_mode, mtime, status.st_nlink, content)
    return seen


def seen_by_us(archive: bytes) -> tuple[dict[bytes, Seen], list[str]]:
    """Return what is in *archive*, by path, and what was refused."""
    loaded = WholeReader(Archive(BytesSource(archive))).load()
    tree, store = tree_of(loaded.table), Store(loaded.blocks)
    seen: dict[bytes, Seen] = {}
    for name, inode in tree.walk():
        attributes = tree.attributes(inode)
        mtime, content = attributes.mtime, b""
        if tree.is_directory(inode):
            mtime = 0
        elif stat.S_ISLNK(attributes.mode):
            content = tree.target(inode)
        else:
            content = store.read(*tree.extent(inode))
        seen[name] = Seen(attributes.mode, mtime, attributes.links, content)
    return seen, [str(refusal) for refusal in loaded.refusals]


def one_kernels(table: Table | FleetTable) -> Table:
    """Return *table*, which is of an archive of one kernel."""
    assert isinstance(table, Table)
    return table
