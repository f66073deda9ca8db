"""Find or make the running kernel's archive, which commands take when no ARCHIVE is named."""

from __future__ import annotations

import os
import time
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from kheadersfs._version import __version__
from kheadersfs.archive.names import index
from kheadersfs.archive.opening import Archive, open_archive
from kheadersfs.archive.source import BytesSource
from kheadersfs.cli.progress import progress_line
from kheadersfs.cli.reading import read_confined
from kheadersfs.kernel.cache import ArchiveCache, HeaderTree, default_cache_directory
from kheadersfs.kernel.discovery import RUNNING_KERNEL_ARCHIVE, find_archive
from kheadersfs.kernel.release import require_same_kernel, running_kernel
from kheadersfs.kernel.trees import find_kernel_tree
from kheadersfs.pack.selection import digest_stamps, select
from kheadersfs.reader import HeaderArchive

if TYPE_CHECKING:
    from kheadersfs.limits import Limits

_PACKED_SUFFIX = ".tar.zst"  # it is read at every mount, and kept on this machine only


def open_running_kernels(limits: Limits) -> Archive:
    """Open the archive of the running kernel's headers, wherever this machine has them.

    Raises ArchiveUnavailable, naming every place that was tried, if it has none.
    """
    directory = default_cache_directory(os.environ)
    found = find_archive(running_kernel(), cache_in(directory))
    if found.content is None:
        return open_archive(found.path, limits)
    return Archive(BytesSource(found.content, found.path), limits)


def cache_in(directory: str) -> ArchiveCache:
    """Return the cache of packed header trees in *directory*."""
    return ArchiveCache(directory, _PACKED_SUFFIX, _look, _pack)


def require_running_kernels(archive: Archive, budget: int, number: int | None = None) -> None:
    """Raise RefusedArchive unless the headers in *archive* are those of the running kernel.

    Of several kernels *number* is meant. *budget* is how many bytes of decoded content may be held
    to find out.
    """
    name = archive.source.name
    if name == RUNNING_KERNEL_ARCHIVE:
        return
    kernel = running_kernel()
    headers = HeaderArchive(archive, budget, kernel=number)
    read_confined(
        [headers],
        lambda: require_same_kernel(name, headers.release, headers.arch, kernel),
        budget,
    )


def _look(tree: HeaderTree) -> str:
    """Return a digest of all that decides what is packed of *tree*. See ArchiveCache."""
    began = time.time_ns()
    kernel = find_kernel_tree(tree.srctree, tree.objtree, None)
    stamps = digest_stamps(select(kernel), began)
    # A later version of kheadersfs may pack otherwise, or not know this version's index.
    decisive = (__version__, index.VERSION, kernel, stamps)
    return sha256(repr(decisive).encode()).hexdigest() if stamps else ""


def _pack(tree: HeaderTree, path: str) -> None:
    """Write the headers of *tree* to *path*. See ArchiveCache."""
    # It takes 25 ms, which only the first mount of such a kernel pays.
    from kheadersfs.pack.comments import COMMENT_FILTERS
    from kheadersfs.pack.packing import Settings, pack
    from kheadersfs.pack.times import DEFAULT_TIME
    from kheadersfs.pack.writing import Description, Form

    kernel = find_kernel_tree(tree.srctree, tree.objtree, None)
    description = Description(kernel.release, kernel.srcarch)
    settings = Settings(Form("tar", "zstd"), COMMENT_FILTERS["strip"], [], DEFAULT_TIME)
    with progress_line("pack", "B") as progress:
        pack(partial(select, kernel), description, path, settings, progress)
