"""Describe a directory tree as far as an archive determines it, to compare two of them."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

ST_BLOCKS_UNIT = 512
LINES_SHOWN = 20
_CHUNK = 1 << 20


class Described(NamedTuple):
    """One name of a tree. ``size`` and ``digest`` are 0 and empty for what has no content.

    ``same_as`` is the first name, in order, of the same inode.
    """

    kind: str
    permissions: int
    size: int
    mtime: int
    links: int
    target: bytes
    digest: str
    same_as: bytes


Description = dict[bytes, Described]


def describe(root: Path) -> Description:
    """Return every name below *root*, and ``.`` itself, with what stat, readlink and read say."""
    top = os.fsencode(root)
    names = [b"."]
    for directory, directories, files in os.walk(top):
        names += [
            os.path.relpath(os.path.join(directory, name), top) for name in directories + files
        ]
    first_of_inode: dict[int, bytes] = {}
    return {
        name: _describe_one(os.path.join(top, name), name, first_of_inode) for name in sorted(names)
    }


def _describe_one(path: bytes, name: bytes, first_of_inode: dict[int, bytes]) -> Described:
    status = os.lstat(path)
    has_size = not stat.S_ISDIR(status.st_mode)
    return Described(
        kind=stat.filemode(status.st_mode)[0],
        permissions=stat.S_IMODE(status.st_mode),
        size=status.st_size if has_size else 0,
        mtime=status.st_mtime_ns,
        links=status.st_nlink,
        target=os.readlink(path) if stat.S_ISLNK(status.st_mode) else b"",
        digest=digest_of(path) if stat.S_ISREG(status.st_mode) else "",
        same_as=first_of_inode.setdefault(status.st_ino, name),
    )


def digest_of(path: bytes | str | Path) -> str:
    """Return the SHA-256 of the content of the file at *path*."""
    state = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(_CHUNK):
            state.update(piece)
    return state.hexdigest()


def differences(actual: Description, expected: Description) -> list[str]:
    """Return a line for each way in which *actual* is not *expected*, or for the first of many."""
    lines = [f"missing: {name!r}" for name in sorted(expected.keys() - actual.keys())]
    lines += [f"superfluous: {name!r}" for name in sorted(actual.keys() - expected.keys())]
    for name in sorted(expected.keys() & actual.keys()):
        for field, got, wanted in zip(Described._fields, actual[name], expected[name], strict=True):
            if got != wanted:
                lines.append(f"{name!r}: {field} is {got!r}, should be {wanted!r}")
    return lines[:LINES_SHOWN]


def with_times_from(original: Path, description: Description) -> Description:
    """Return *description* with directories and symlinks as old as they are below *original*.

    GNU cpio sets no symlink's time and forgets a directory's when it fills it; an archive of its
    kind knows them in whole seconds.
    """
    top = os.fsencode(original)
    return {
        name: described._replace(mtime=_whole_seconds(os.path.join(top, name)))
        if described.kind in "dl"
        else described
        for name, described in description.items()
    }


def _whole_seconds(path: bytes) -> int:
    return os.lstat(path).st_mtime_ns // 1_000_000_000 * 1_000_000_000


def check_block_counts(root: Path) -> None:
    """Check that st_blocks is what the size needs, in the unit that stat(2) has."""
    for directory, _, files in os.walk(os.fsencode(root)):
        for name in files:
            status = os.lstat(os.path.join(directory, name))
            expected = -(-status.st_size // ST_BLOCKS_UNIT) if stat.S_ISREG(status.st_mode) else 0
            assert status.st_blocks == expected, name


def extract_with_tar(archive: Path, directory: Path) -> None:
    """Extract *archive* with GNU tar, as root would, without what the umask would take away."""
    directory.mkdir()
    subprocess.run(
        ["tar", "-x", "-p", "--no-same-owner", "-f", archive, "-C", directory],
        check=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def extract_with_cpio(archive: Path, directory: Path) -> None:
    """Extract the uncompressed *archive* with GNU cpio."""
    directory.mkdir()
    with open(archive, "rb") as stream:
        subprocess.run(
            ["cpio", "--extract", "--make-directories", "--preserve-modification-time", "--quiet"],
            check=True,
            cwd=directory,
            stdin=stream,
            stderr=subprocess.PIPE,
        )
