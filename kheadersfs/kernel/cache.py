"""Archives of header trees, kept as long as the tree does not change.

Beside RELEASE.tar.zst is RELEASE.tar.zst.tree, which records what the tree looked like when
packing began. It is there only while the archive is complete, so that whatever ends a process
makes the next one pack anew.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

from kheadersfs.errors import ArchiveUnavailable, reason
from kheadersfs.locking import exclusive

RECORD_SUFFIX = ".tree"
PARTIAL_SUFFIX = ".partial"
LOCK_SUFFIX = ".lock"


class HeaderTree(NamedTuple):
    """Headers on disk: the sources, and the directory with what a build generated from them.

    Both name the same directory when the kernel was built in its source tree.
    """

    srctree: str
    objtree: str


class ArchiveCache(NamedTuple):
    """Where packed header trees are kept, and how they are made.

    *pack* writes the archive of a tree to the path that it is given; *suffix*, such
    as ``.tar.xz``, says what it writes. *look* returns a line, without reading the tree's
    headers, that differs whenever what *pack* would write may differ; an empty one if it
    cannot tell, and then the tree is packed at every call.
    """

    directory: str
    suffix: str
    look: Callable[[HeaderTree], str]
    pack: Callable[[HeaderTree, str], None]

    def archive_of(self, tree: HeaderTree, release: str) -> str:
        """Return the path of an archive with the headers of *tree*, making it if need be.

        Any number of processes may ask at once: one packs, the others wait for it.
        Raises ArchiveUnavailable if the directory is not safe or not usable, and
        whatever *look* and *pack* raise.
        """
        # Links are followed once. Whoever changes one while a tree is looked at and packed does no
        # harm then.
        tree = HeaderTree(*map(os.path.realpath, tree))
        return kept_archive(
            os.path.join(self.directory, release + self.suffix),
            tree.objtree,
            lambda: self.look(tree),
            lambda path: self.pack(tree, path),
        )


def kept_archive(
    archive: str, subject: str, look: Callable[[], str], pack: Callable[[str], None]
) -> str:
    """Return the path *archive*, where the headers of *subject* are, packed anew if need be.

    *look* and *pack* are as in ArchiveCache. Raises what keeping() raises, and whatever *look* and
    *pack* raise.
    """
    with keeping(archive, subject, look) as partial:
        if partial is not None:
            pack(partial)
    return archive


@contextmanager
def keeping(archive: str, subject: str, look: Callable[[], str]) -> Iterator[str | None]:
    """Hold *archive*, which has the headers of *subject*, until the end of the block.

    Yields the path at which it has to be packed anew, None if it need not be; *look* is as in
    ArchiveCache. Any number of processes may ask at once: one packs, the others wait for it. Raises
    ArchiveUnavailable if the directory is not safe or not usable, and whatever *look* raises.
    """
    directory = os.path.dirname(archive)
    try:
        own_directory(directory)
        with exclusive(lock_of(archive)):
            seen = look()
            if _is_recorded(archive, seen):
                os.utime(archive + RECORD_SUFFIX)  # keeping.py goes by it
                yield None
            else:
                _remove_remains(archive)
                partial = archive + PARTIAL_SUFFIX
                yield partial
                os.replace(partial, archive)
                _record(archive, seen)
    except OSError as error:
        raise ArchiveUnavailable(
            f"cannot keep the headers of {subject} in {directory}: {reason(error)}; "
            "make that directory writable, or set XDG_CACHE_HOME"
        ) from error


def lock_of(archive: str) -> str:
    """Return the file to hold a lock on while *archive* is made or removed."""
    directory, name = os.path.split(archive)
    return os.path.join(directory, name.partition(".tar")[0] + LOCK_SUFFIX)


def _record(archive: str, seen: str) -> None:
    """Record what was *seen* before *archive* was packed, unless that was nothing."""
    if seen:
        partial = archive + PARTIAL_SUFFIX
        with open(partial, "w", encoding="ascii") as stream:
            stream.write(_record_of(archive, seen))
        os.replace(partial, archive + RECORD_SUFFIX)


def default_cache_directory(environment: Mapping[str, str]) -> str:
    """Return the cache of the user that runs this: root's is the machine's.

    The XDG base directory specification says to ignore a relative path.
    """
    if os.geteuid() == 0:
        return "/var/cache/kheadersfs"
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(_home_directory(environment), ".cache")
    return os.path.join(base, "kheadersfs")


def _home_directory(environment: Mapping[str, str]) -> str:
    """Return HOME or, where that is no absolute path, what is known of the user; at worst /."""
    home = environment.get("HOME", "")
    if not os.path.isabs(home):
        with suppress(KeyError):
            home = pwd.getpwuid(os.geteuid()).pw_dir
    return home if os.path.isabs(home) else "/"


def own_directory(directory: str) -> None:
    """Create *directory* for this user alone; refuse one where others could put archives.

    Raises ArchiveUnavailable, OSError.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    require_own(directory)


def require_own(directory: str) -> None:
    """Raise ArchiveUnavailable if others could put archives into *directory*, or OSError."""
    status = os.stat(directory)
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ArchiveUnavailable(
            f"{directory} can be written by others, so its archives cannot be trusted: "
            f"run chown {os.geteuid()} and chmod go-w on it, or remove it"
        )


def _is_recorded(archive: str, seen: str) -> bool:
    """Return whether *archive* was packed from a tree in which *seen* was seen."""
    try:
        with open(archive + RECORD_SUFFIX, encoding="ascii", errors="replace") as stream:
            return stream.read() == _record_of(archive, seen)
    except FileNotFoundError:
        return False


def _record_of(archive: str, seen: str) -> str:
    """Return what to record of *archive*, packed from a tree in which *seen* was seen.

    It names the archive's file as well: a machine that fails may keep only one of two new files.
    """
    status = os.stat(archive)
    return f"{seen} {status.st_ino} {status.st_size} {status.st_mtime_ns}\n"


def _remove_remains(archive: str) -> None:
    """Remove the record of *archive*, and what killed processes left of packing it.

    *pack* may have written under names of its own: with a dot before, or more behind.
    """
    directory, name = os.path.split(archive)
    for found in os.listdir(directory):
        if found == name + RECORD_SUFFIX or found.removeprefix(".").startswith(
            name + PARTIAL_SUFFIX
        ):
            os.unlink(os.path.join(directory, found))
