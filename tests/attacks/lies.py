"""Changes to an embedded index that make it lie, and the archives that then have it.

They are made for archives of the tree that tests/hostile/test_lying_index.py packs.
"""

from __future__ import annotations

import stat
from array import array
from typing import TYPE_CHECKING

from kheadersfs.archive.compression import xz, xz_coding
from kheadersfs.archive.compression.xz_blocks import XzBlocks
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.names.table import Table
from kheadersfs.archive.opening import Archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.limits import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.names.index import Index
    from kheadersfs.archive.names.page import Page

SAME_SIZE = 3000
"""Bytes of the files that can be taken for each other."""


def with_index(packed: bytes, change: Callable[[Index], Index]) -> bytes:
    """Return the archive *packed* with its index changed, and all checksums made right.

    It has more pages than one would make of so few names.
    """
    blocks = Archive(BytesSource(packed)).blocks
    assert isinstance(blocks, XzBlocks)
    last = len(blocks) - 1
    index = embedded.decode(
        embedded.find(blocks.decode(last)), blocks.starts[: last + 1], "index", UNLIMITED
    )
    return with_last_block(
        blocks, embedded.encode(change(index), blocks.starts[:last], page_entries=4)
    )


def with_sections(blocks: XzBlocks, *sections: bytes) -> bytes:
    """Return the archive of *blocks* with an index of *sections*, whose checksums are right."""
    return with_last_block(blocks, embedded.wrap(embedded.VERSION, *sections))


def with_last_block(blocks: XzBlocks, content: bytes) -> bytes:
    """Return the archive of *blocks* with other *content* in the last one."""
    last = len(blocks) - 1
    encoded = xz_coding.encode_plain_block(content)
    stored = [blocks.stored(number) for number in range(last)] + [encoded.stored]
    records = [(block.unpadded_size, block.decoded_size) for block in blocks.blocks[:last]]
    records.append((encoded.unpadded_size, encoded.decoded_size))
    return xz.stream_start() + b"".join(stored) + xz.stream_end(records)


def file_rows(index: Index) -> list[int]:
    table = index.table.whole()
    return [
        row
        for row, mode in enumerate(table.inode_mode)
        if stat.S_ISREG(mode) and table.inode_size[row]
    ]


def with_table(index: Index, page: Page) -> Index:
    return index._replace(table=Table.of(page))


def renamed(index: Index, name: bytes, other: bytes) -> Index:
    whole = index.table.whole()
    return with_table(index, whole._replace(names=whole.names.replace(name, other)))


def replaced(column: array[int], row: int, value: int) -> array[int]:
    changed = column[:]
    changed[row] = value
    return changed


def swap_extents(index: Index) -> Index:
    """Two files of the same size have each other's content."""
    table = index.table.whole()
    first, second = [row for row in file_rows(index) if table.inode_size[row] == SAME_SIZE][:2]
    starts = table.inode_start[:]
    starts[first], starts[second] = starts[second], starts[first]
    return with_table(index, table._replace(inode_start=starts))


def move_extent(index: Index, by: int) -> Index:
    row = file_rows(index)[3]
    table = index.table.whole()
    starts = replaced(table.inode_start, row, table.inode_start[row] + by)
    return with_table(index, table._replace(inode_start=starts))


def resize(index: Index, by: int) -> Index:
    row = file_rows(index)[2]
    table = index.table.whole()
    sizes = replaced(table.inode_size, row, table.inode_size[row] + by)
    return with_table(index, table._replace(inode_size=sizes))


def rename(index: Index) -> Index:
    """Every header3.h is called header3.H, which sorts the same."""
    names = index.table.whole().names.replace(b"header3.h", b"header3.H")
    return with_table(index, index.table.whole()._replace(names=names))


def link_to_another(index: Index) -> Index:
    """A name stands for the inode of another file."""
    table = index.table.whole()
    first, second = file_rows(index)[:2]
    inodes = array(
        "I", [first + 1 if inode == second + 1 else inode for inode in table.entry_inode]
    )
    return with_table(index, table._replace(entry_inode=inodes))


def with_modes(index: Index, change: Callable[[int], int]) -> Index:
    table = index.table.whole()
    row = file_rows(index)[0]
    modes = replaced(table.inode_mode, row, change(table.inode_mode[row]))
    return with_table(index, table._replace(inode_mode=modes))


def change_inode(index: Index, kind: int, mode: int = 0, mtime: int = 0, links: int = 0) -> Index:
    """The first inode of *kind* has other bits of *mode*, and is *mtime* and *links* ahead."""
    table = index.table.whole()
    modes, times, names = table.inode_mode, table.inode_mtime, table.inode_links
    row = next(row for row, found in enumerate(modes) if row and stat.S_IFMT(found) == kind)
    changed = table._replace(
        inode_mode=replaced(modes, row, modes[row] ^ mode),
        inode_mtime=replaced(times, row, times[row] + mtime),
        inode_links=replaced(names, row, names[row] + links),
    )
    return with_table(index, changed)


def retarget(index: Index) -> Index:
    targets = index.table.whole().targets.replace(b"header1.h", b"header3.h")
    return with_table(index, index.table.whole()._replace(targets=targets))


def rename_empty(index: Index) -> Index:
    names = index.table.whole().names.replace(b"empty.h", b"emqty.h")
    return with_table(index, index.table.whole()._replace(names=names))


def rename_directory(index: Index) -> Index:
    names = index.table.whole().names.replace(b"linux", b"linuz")
    return with_table(index, index.table.whole()._replace(names=names))


def forge_digests(index: Index) -> Index:
    return index._replace(digests=[bytes(32) for _ in index.digests])


USED = {
    "files of the same size exchanged": swap_extents,
    "a file moved by a block of tar": lambda index: move_extent(index, 512),
    "a file moved by one byte": lambda index: move_extent(index, 1),
    "a file moved far": lambda index: move_extent(index, 40_000),
    "a file longer by one byte": lambda index: resize(index, 1),
    "a file shorter by one byte": lambda index: resize(index, -1),
    "a file longer by a block of tar": lambda index: resize(index, 512),
    "other names": rename,
    "other permissions of a file": lambda index: change_inode(index, stat.S_IFREG, mode=0o111),
    "other permissions of a directory": lambda index: change_inode(index, stat.S_IFDIR, mode=0o22),
    "another time of a file": lambda index: change_inode(index, stat.S_IFREG, mtime=1),
    "another time of a directory": lambda index: change_inode(index, stat.S_IFDIR, mtime=1),
    "another target of a symlink": retarget,
    "another name of an empty file": rename_empty,
    "another name of a directory": rename_directory,
    "digests of zeros": forge_digests,
}


NOT_USED = {
    "a name for another file": link_to_another,
    "a directory with more subdirectories than it has": lambda index: change_inode(
        index, stat.S_IFDIR, links=1
    ),
    "other permissions of a symlink": lambda index: change_inode(index, stat.S_IFLNK, mode=0o111),
    "a file with more names than it has": lambda index: change_inode(index, stat.S_IFREG, links=1),
    "a set-user-ID file": lambda index: with_modes(index, lambda mode: mode | stat.S_ISUID),
    "a device": lambda index: with_modes(index, lambda mode: stat.S_IFCHR | 0o666),
    "a mode of many bits": lambda index: with_modes(index, lambda mode: mode | 1 << 20),
    "a file behind the end": lambda index: move_extent(index, 1 << 30),
    "more hot blocks than blocks": lambda index: index._replace(hot_blocks=10_000),
    "another size of the stream": lambda index: index._replace(stream_size=512),
    "a digest too few": lambda index: index._replace(digests=index.digests[:-1]),
    "a name of two dots": lambda index: renamed(index, b"header0.h", b"../././.."),
    "names that are not sorted": lambda index: renamed(index, b"header0.h", b"zeader0.h"),
    "a name twice": lambda index: renamed(index, b"header0.h", b"header1.h"),
}
