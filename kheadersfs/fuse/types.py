"""``include/vmlinux.h`` in a mount: for which headers it is there, and what it looks like."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from kheadersfs.bpf.kernel import LARGEST_DESCRIPTION, RELEASE_HEADER, headers_release
from kheadersfs.bpf.vmlinux import Unavailable
from kheadersfs.errors import DamagedArchive, RefusedArchive
from kheadersfs.fuse.generated import GeneratedFile, Place
from kheadersfs.store import Store
from kheadersfs.tree import Tree

if TYPE_CHECKING:
    from kheadersfs.archive.opening import Content
    from kheadersfs.bpf.vmlinux import VmlinuxHeader
    from kheadersfs.fuse.loop import Loop

_DIRECTORY, _NAME = b"include", b"vmlinux.h"
_MODE = stat.S_IFREG | 0o644


def types_of(
    header: VmlinuxHeader | Unavailable, content: Content, tree: Tree, loop: Loop
) -> GeneratedFile | None:
    """Return the file made of *header* for an archive, None if that has no place for it.

    A file of the same name in the archive always comes first.
    """
    directory = tree.resolve(_DIRECTORY)
    if not directory or not tree.is_directory(directory) or tree.lookup(directory, _NAME):
        return None
    # The time of the directory is the same from mount to mount.
    mtime = tree.attributes(directory).mtime
    place = Place(directory, _NAME, len(tree) + 1, _MODE, mtime)
    if isinstance(header, Unavailable):
        return GeneratedFile(loop, place, bytes, header.reason)
    return GeneratedFile(loop, place, header.text, header.why_not_for(_release_of(content, tree)))


def _release_of(content: Content, tree: Tree) -> str | None:
    """Return the release of the kernel that an archive's headers belong to, if they say so."""
    if content.release:
        return content.release
    inode = tree.resolve(RELEASE_HEADER.encode())
    if not inode or not stat.S_ISREG(tree.attributes(inode).mode):
        return None
    if tree.attributes(inode).size > LARGEST_DESCRIPTION:
        return None
    try:
        # A store of its own: this is not the content that somebody asked for.
        return headers_release(Store(content.blocks, 0).read(*tree.extent(inode)))
    except (DamagedArchive, RefusedArchive):
        return None  # whoever reads that header will hear of it
