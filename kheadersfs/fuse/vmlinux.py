"""Decide whether a mount has the generated file ``include/vmlinux.h``, and with what attributes."""

from __future__ import annotations

import stat

from kheadersfs.bpf.vmlinux import Unavailable
from kheadersfs.fuse.generated import GeneratedFile, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.bpf.vmlinux import VmlinuxHeader
    from kheadersfs.fuse.log import Log
    from kheadersfs.fuse.loop import Loop
    from kheadersfs.tree import Tree

_DIRECTORY, _NAME = b"include", b"vmlinux.h"
_MODE = stat.S_IFREG | 0o644


def types_of(
    header: VmlinuxHeader | Unavailable, release: str, tree: Tree, loop: Loop, log: Log
) -> GeneratedFile | None:
    """Return the file generated from *header* in a mount of the headers of *release*.

    Returns None if *tree* has no directory for it, or has a file of that name. If there is no
    *header*, or none for this *release*, the file is absent and says why; see GeneratedFile.
    """
    directory = tree.resolve(_DIRECTORY)
    if not directory or not tree.is_directory(directory) or tree.lookup(directory, _NAME):
        return None
    # The directory's time is used, because it is the same in each mount of the archive.
    mtime = tree.attributes(directory).mtime
    place = Place(directory, _NAME, len(tree) + 1, _MODE, mtime)
    if isinstance(header, Unavailable):
        return GeneratedFile(loop, log, place, bytes, header.reason)
    return GeneratedFile(loop, log, place, header.text, header.why_not_for(release))
