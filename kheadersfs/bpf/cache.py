"""Archives of header trees, made once and kept as long as the tree does not change."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kheadersfs.bpf.kernel import CONFIGURATION_HEADER
from kheadersfs.bpf.locking import exclusive
from kheadersfs.errors import ArchiveUnavailable, reason


class HeaderTree(NamedTuple):
    """Headers on disk: the sources, and the directory with what a build generated from them.

    Both name the same directory when the kernel was built in its source tree.
    """

    srctree: str
    objtree: str


class ArchiveCache(NamedTuple):
    """Where packed header trees are kept, and how they are made.

    *pack* writes the archive of a tree to the path that it is given; *suffix*, such
    as ``.tar.xz``, says what it writes.
    """

    directory: str
    suffix: str
    pack: Callable[[HeaderTree, str], None]

    def archive_of(self, tree: HeaderTree, release: str) -> str:
        """Return the path of an archive with the headers of *tree*, making it if need be.

        Any number of processes may ask at once: one packs, the others wait for it.
        Raises ArchiveUnavailable if the directory is not safe or not usable, and
        whatever *pack* raises.
        """
        archive = os.path.join(self.directory, release + self.suffix)
        try:
            _require_own_directory(self.directory)
            with exclusive(os.path.join(self.directory, release + ".lock")):
                if not _is_newer(archive, tree):
                    partial = archive + ".partial"
                    self.pack(tree, partial)
                    os.replace(partial, archive)
        except OSError as error:
            raise ArchiveUnavailable(
                f"cannot keep the headers of {tree.objtree} in {self.directory}: {reason(error)}; "
                "make that directory writable, or set XDG_CACHE_HOME"
            ) from error
        return archive


def default_cache_directory(environment: Mapping[str, str]) -> str:
    """Return the cache of the user that runs this: root's is the machine's.

    The XDG base directory specification says to ignore a relative path.
    """
    if os.geteuid() == 0:
        return "/var/cache/kheadersfs"
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(environment.get("HOME", os.path.expanduser("~")), ".cache")
    return os.path.join(base, "kheadersfs")


def _require_own_directory(directory: str) -> None:
    """Create *directory* for this user alone; refuse one where others could put archives."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    status = os.stat(directory)
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ArchiveUnavailable(
            f"{directory} can be written by others, so its archives cannot be trusted: "
            f"run chown {os.geteuid()} and chmod go-w on it, or remove it"
        )


def _is_newer(archive: str, tree: HeaderTree) -> bool:
    """Return whether *archive* was made after the tree was installed or configured.

    Packages keep the modification times of their build, so it is the change time,
    which nobody can set, that tells when a header came to this machine.
    """
    try:
        made = os.stat(archive).st_mtime_ns
    except FileNotFoundError:
        return False
    markers = (
        os.path.join(tree.srctree, "include/linux/kconfig.h"),
        os.path.join(tree.objtree, CONFIGURATION_HEADER),
    )
    return all(os.stat(marker).st_ctime_ns < made for marker in markers)
