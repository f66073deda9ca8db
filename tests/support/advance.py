"""What the kernel is given before a build asks for it: waiting for that, and what it is."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kheadersfs import open_archive
from kheadersfs.archive import opening
from kheadersfs.archive.readers import IndexReader
from kheadersfs.fuse.advance import OPENS_OF_A_BUILD
from kheadersfs.fuse.answers import STORED_AT_OPEN
from kheadersfs.fuse.hot import find_hot
from kheadersfs.tree import tree_of
from tests.support.mounting import wait_until
from tests.support.pages import is_cached

if TYPE_CHECKING:
    from tests.support.mounting import Mount

HOT = 600
"""Headers at the beginning of an archive that are given in advance, if their directory has many."""
OF_HOT = ("include/linux", "include/uapi/linux", "include/asm-generic", "include/net/netns")


def opens_without_asking(mounted: Mount) -> bool:
    status: dict[str, Any] = mounted.status()
    return status["open_files"] is None


def headers_in_order(archive: Path) -> list[tuple[int, str]]:
    """Return the headers of *archive* as they follow each other in its stream, each with where."""
    with open_archive(archive) as opened:
        tree = opened.tree
        return sorted(
            (tree.extent(inode)[0], os.fsdecode(path))
            for path, inode in tree.walk()
            if stat.S_ISREG(tree.attributes(inode).mode) and path.endswith(b".h")
        )


def names_looked_for(archive: Path) -> list[bytes]:
    """Return the paths at which a compiler looks in vain for the hot headers of *archive*."""
    with closing(opening.open_archive(os.fsencode(archive))) as opened:
        content = IndexReader(opened).load()
        tree = tree_of(content.table)
        starts, blocks = content.blocks.starts, content.hot_blocks
        return find_hot(tree, starts, blocks, STORED_AT_OPEN, content.arch).absent


def begin_advance(mounted: Mount, archive: Path) -> None:
    """Have the server of *archive* take somebody for a build.

    What is opened for that is cold, so that no build has it, and nothing is opened twice, which
    would be another reason not to ask any more.
    """
    for _, cold in headers_in_order(archive)[-OPENS_OF_A_BUILD:]:
        assert (mounted / cold).read_bytes()
    assert opens_without_asking(mounted)


def await_advance(mounted: Mount, archive: Path) -> None:
    """Have the kernel know all that is hot, and open files without asking."""
    begin_advance(mounted, archive)
    # The names are asked for here if they are not known yet, but nothing is read.
    files = headers_in_order(archive)[:HOT]
    hot = [mounted / path for _, path in files if str(Path(path).parent) in OF_HOT]
    most = 0.9 * len(hot)
    wait_until(lambda: sum(map(is_cached, hot)) > most, "the kernel has the pages of what is hot")
    # It may forget a name or a page at any time, also before it was given the page.
    for header in hot:
        assert header.read_bytes()
