"""Which headers of a kernel tree go into its archive: exactly those that the kernel's script takes.

The script exists in two generations. Up to 6.16 it runs find over include/ and
arch/SRCARCH/include/ of the source tree and then of the object tree, whose files win. Since 6.17
(and in the stable releases that took the change) the kernel's makefile lists the headers that are
not generated from the source tree and the generated ones from the object tree. Both copy symlinks
as symlinks, and both end with the same members for a tree that was built cleanly.

include/generated/utsversion.h is left out in both: it is made after the archive, so that older
scripts took it or not depending on what had been built before; newer ones exclude it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import KheadersfsError, UsageError, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kheadersfs.kernel.trees import KernelTree

_LEFT_OUT = b"include/generated/utsversion.h"
_GENERATED = b"generated"
# A file may change twice between two ticks of the clock that its times are taken from.
_CLOCK_TICK = 1_000_000_000


class Header(NamedTuple):
    """One header: its path in the archive, the file it is, and what that looked like.

    ``target`` is a symlink's, else None. ``stamp`` changes when the file does: size in bytes,
    modification and status change time in nanoseconds, inode and device number.
    """

    path: bytes
    source: bytes
    target: bytes | None
    stamp: tuple[int, int, int, int, int]


if TYPE_CHECKING:
    Scan = Callable[[bytes, bytes, bytes], Iterable[Header]]
    """Lists the headers in a tree, below a directory of it, but not those below another one."""


def select(tree: KernelTree, scan: Scan | None = None) -> dict[bytes, Header]:
    """Return the headers of *tree* by path, sorted. Raises KheadersfsError for unreadable ones.

    *scan* lists them where the tree is no directory of this machine.
    """
    scan = scan or _scan_directory
    srctree, objtree = os.fsencode(tree.srctree), os.fsencode(tree.objtree)
    tops = (b"include", b"arch/" + tree.srcarch.encode() + b"/include")
    found: dict[bytes, Header] = {}
    if tree.lists:
        for top in tops:
            _add(found, scan(srctree, top, top + b"/" + _GENERATED))
        for top in tops:
            _add(found, scan(objtree, top + b"/" + _GENERATED, b""))
    else:
        for root in dict.fromkeys((srctree, objtree)):
            for top in tops:
                _add(found, scan(root, top, b""))
    return _finish(found)


def select_listed(
    srctree: bytes, source_list: bytes, objtree: bytes, object_list: bytes
) -> dict[bytes, Header]:
    """Return the headers that the kernel's makefile listed, by path, sorted.

    The lists are as since 6.17: a name a line, with *srctree* before those of the source tree.
    Raises KheadersfsError when one is not there.
    """
    found: dict[bytes, Header] = {}
    prefix = srctree + b"/"
    for name in source_list.splitlines():
        path = name.removeprefix(prefix)
        found[path] = _header(os.path.join(srctree, path), path)
    for path in object_list.splitlines():
        found[path] = _header(os.path.join(objtree, path), path)
    return _finish(found)


def digest_stamps(headers: dict[bytes, Header], began: int) -> str:
    """Return a digest of what the headers look like from outside, without reading them.

    It is a SHA-256 in hexadecimal; empty if one changed so shortly before *began*, in nanoseconds
    since 1970, that another change might not show.
    """
    digest = hashlib.sha256()
    for header in headers.values():
        if max(header.stamp[1:3]) + _CLOCK_TICK > began:
            return ""
        digest.update(repr(header).encode())
    return digest.hexdigest()


def read_header(header: Header) -> bytes:
    """Return the content of *header*, which must be a file.

    Raises KheadersfsError when it cannot be read, or is no longer what it was when selected.
    """
    try:
        descriptor = os.open(header.source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            content = os.read(descriptor, header.stamp[0] + 1)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(header.source, error) from error
    if _stamp(status) != header.stamp or len(content) != header.stamp[0]:
        raise changed(header.source)
    return content


def changed(what: bytes) -> KheadersfsError:
    """Return the error for a tree that somebody writes to while it is packed."""
    return KheadersfsError(
        f"{os.fsdecode(what)}: changed while the tree was being packed; "
        "pack again when nothing writes to it"
    )


def _finish(found: dict[bytes, Header]) -> dict[bytes, Header]:
    found.pop(_LEFT_OUT, None)
    if not found:
        raise UsageError("there is no header in the kernel tree; name another with --srctree")
    return dict(sorted(found.items()))


def _add(found: dict[bytes, Header], headers: Iterable[Header]) -> None:
    found.update((header.path, header) for header in headers)


def _scan_directory(root: bytes, top: bytes, pruned: bytes) -> Iterator[Header]:
    """Yield what is below *root*/*top*, which need not exist, but not what is below *pruned*."""
    directory = os.path.join(root, top)
    try:
        is_directory = stat.S_ISDIR(os.stat(directory).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:  # what is there may hold headers
        raise _unreadable(directory, error) from error
    if is_directory:
        yield from _scan(root, top, pruned)


def _scan(root: bytes, top: bytes, pruned: bytes) -> Iterator[Header]:
    """Yield what ``find -name '*.h'`` lists. Symlinked directories are not entered."""
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(os.path.join(root, directory)) as entries:
                for entry in entries:
                    path = directory + b"/" + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if path != pruned:
                            pending.append(path)
                    elif entry.name.endswith(b".h"):
                        yield _header(entry.path, path)
        except OSError as error:
            raise _unreadable(os.path.join(root, directory), error) from error


def _header(source: bytes, path: bytes) -> Header:
    try:
        status = os.lstat(source)
        target = os.readlink(source) if stat.S_ISLNK(status.st_mode) else None
    except OSError as error:
        raise _unreadable(source, error) from error
    if target is None and not stat.S_ISREG(status.st_mode):
        raise KheadersfsError(
            f"{os.fsdecode(source)}: is neither a file nor a symlink; remove it from the tree"
        )
    return Header(path, source, target, _stamp(status))


def _stamp(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return (
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
    )


def _unreadable(path: bytes, error: OSError) -> KheadersfsError:
    if isinstance(error, PermissionError):
        advice = "run as a user who can read the whole tree"
    elif isinstance(error, FileNotFoundError):
        advice = "it was listed before, so begin again when nothing writes to the tree"
    else:
        advice = "mend it, or remove it from the tree"
    return KheadersfsError(
        f"{os.fsdecode(path)}: cannot read the header: {reason(error)}; {advice}"
    )
