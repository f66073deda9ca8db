"""``include/vmlinux.h`` in a mount: for which headers it is there, and what it looks like."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from kheadersfs.bpf.vmlinux import Unavailable
from kheadersfs.fuse.generated import GeneratedFile, Place

if TYPE_CHECKING:
    from kheadersfs.bpf.vmlinux import VmlinuxHeader
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.tree import Tree

_DIRECTORY, _NAME = b"include", b"vmlinux.h"
_MODE = stat.S_IFREG | 0o644


def types_of(
    header: VmlinuxHeader | Unavailable, release: str, tree: Tree, loop: Loop
) -> GeneratedFile | None:
    """Return the file made of *header* for the headers of *release*, None without a place for it.

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
    return GeneratedFile(loop, place, header.text, header.why_not_for(release))
