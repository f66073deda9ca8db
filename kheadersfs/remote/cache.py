"""The cache on disk: what was fetched, by its SHA-256, and a record of each address.

``objects`` has one file for each piece, named by the SHA-256 of its content. A block that several
archives share is there once, whichever address it came from. ``addresses`` has one record for each
address, as JSON, named by the SHA-256 of the address.

A file gets its name when it is complete, and its content is checked against the name when it is
read. So neither a killed process nor a full disk leaves a wrong object behind. The next process
that opens the cache removes incomplete files. Any number of processes may write at the same time,
because objects of the same name have the same content.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import reason
from kheadersfs.remote.address import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTIAL = ".partial"
_KEPT = 0.9
"""The part of the allowed size to which the cache is reduced when it has grown beyond that."""
_LARGEST_RECORD = 1 << 20
"""Bytes of a record of an address."""
_NO_RECORD = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What _decode() raises for what is no record, perhaps because the disk has damaged it."""


class Piece(NamedTuple):
    """A range of a file in bytes, and the SHA-256 of its content in hexadecimal."""

    offset: int
    length: int
    digest: str


class Known(NamedTuple):
    """The record of an address: what its server said of the file, and what was fetched of it.

    ``size`` is in bytes. ``tag`` is the ETag, or the digest by which a registry names the file.
    ``modified`` is its Last-Modified. Each of the two may be empty. ``fresh_until`` is the time, in
    seconds since 1970, until which the server need not be asked again. ``pieces`` are the ranges
    that no index lists: the beginning and the end of the file. ``whole`` is the SHA-256 of the
    whole file in hexadecimal, empty if that was not fetched.
    """

    address: str
    size: int
    tag: str
    modified: str
    fresh_until: float
    pieces: tuple[Piece, ...]
    whole: str


class Cache:
    """The cache in *directory*, which only its user may write to. *limit* is in bytes.

    Several processes may use the same directory. ``complaint`` says why something could not be
    kept; it is empty while all could.
    """

    def __init__(self, directory: str, limit: int) -> None:
        self.directory = directory
        self.complaint = ""
        self._objects = os.path.join(directory, "objects")
        self._addresses = os.path.join(directory, "addresses")
        self._limit = limit
        self._size = 0

    def prepare(self) -> None:
        """Make the directories, and add up the sizes of the objects in them.

        When the directories cannot be made, ``complaint`` says why, and nothing is kept.
        """
        try:
            for directory in (self._objects, self._addresses):
                os.makedirs(directory, mode=0o700, exist_ok=True)
                _remove_remains(directory)
        except OSError as error:
            self.complaint = f"{self.directory}: {reason(error)}"
        self._size = sum(size for _, size, _ in self._list())

    def get(self, digest: str) -> bytes | None:
        """Return the object with the SHA-256 *digest*, None if there is none or it is damaged."""
        path = os.path.join(self._objects, digest)
        try:
            with open(path, "rb") as file:
                content = file.read()
            os.utime(path)
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() == digest:
            return content
        with suppress(OSError):  # damaged on the disk: it will be fetched again
            os.unlink(path)
        return None

    def has(self, digest: str) -> bool:
        """Tell whether there is an object named *digest*. Its content is not checked."""
        return os.path.exists(os.path.join(self._objects, digest))

    def put(self, content: bytes) -> str:
        """Keep *content* if that is possible. Returns its SHA-256 in hexadecimal."""
        digest = hashlib.sha256(content).hexdigest()
        if len(content) <= self._limit and self._write(self._objects, digest, content):
            self._size += len(content)
            if self._size > self._limit:
                self._shrink()
        return digest

    def known(self, address: str) -> Known | None:
        """Return the record of *address*, None if there is none that can be used."""
        return self._read(os.path.join(self._addresses, _name_of(address)))

    def note(self, address: str, known: Known) -> None:
        """Write *known* as the record of *address*, if that is possible."""
        self._write(self._addresses, _name_of(address), json.dumps(known).encode())

    def everything(self) -> tuple[int, int, list[Known]]:
        """Return the number of objects, their size in bytes, and the records of all addresses."""
        sizes = [size for _, size, _ in self._list()]
        notes: list[Known] = []
        with suppress(OSError):
            for name in sorted(os.listdir(self._addresses)):
                known = self._read(os.path.join(self._addresses, name))
                if known is not None:
                    notes.append(known)
        return len(sizes), sum(sizes), notes

    def clear(self) -> None:
        """Remove everything. A process that is reading fetches again. Raises OSError."""
        for directory in (self._addresses, self._objects):
            with suppress(FileNotFoundError):
                for name in os.listdir(directory):
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.join(directory, name))
        with suppress(OSError):  # there may be something else in it, or it may be a mountpoint
            for directory in (self._addresses, self._objects, self.directory):
                os.rmdir(directory)

    def _read(self, path: str) -> Known | None:
        try:
            with open(path, "rb") as file:
                return _decode(file.read(_LARGEST_RECORD))
        except (OSError, *_NO_RECORD):
            return None

    def _write(self, directory: str, name: str, content: bytes) -> bool:
        path = os.path.join(directory, name)
        partial = f"{path}.{os.getpid()}{_PARTIAL}"
        try:
            with open(partial, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # see _remove_remains()
                file.write(content)
                file.flush()
                os.replace(partial, path)
        except OSError as error:
            self.complaint = f"{self.directory}: {reason(error)}"
            with suppress(OSError):
                os.unlink(partial)
            return False
        return True

    def _list(self) -> Iterator[tuple[int, int, str]]:
        """Yield time of last use in nanoseconds, size in bytes and path of each object."""
        with suppress(OSError), os.scandir(self._objects) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_mtime_ns, status.st_size, entry.path

    def _shrink(self) -> None:
        """Remove the objects that were not used for longest, until there is room again."""
        found = sorted(self._list())
        self._size = sum(size for _, size, _ in found)
        for _, size, path in found:
            if self._size <= self._limit * _KEPT:
                break
            with suppress(OSError):
                os.unlink(path)
            self._size -= size


def _remove_remains(directory: str) -> None:
    """Remove the incomplete files of processes that were killed: those that nobody has locked.

    A writer locks its file just after it has made it. When the file is removed between the two, the
    writer fails and keeps nothing, which does no harm. Raises OSError.
    """
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if name.endswith(_PARTIAL):
            with suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)


def _name_of(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def _is_digest(name: str) -> bool:
    """Tell whether *name* is a SHA-256 in hexadecimal, and so no path that leads elsewhere."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def _decode(record: bytes) -> Known:
    """Return what *record* says. Raises one of _NO_RECORD when it is no record."""
    known = Known(*json.loads(record))
    pieces = tuple(
        Piece(int(offset), int(length), str(hexadecimal))
        for offset, length, hexadecimal in known.pieces
    )
    digests = [*(piece.digest for piece in pieces), *([known.whole] if known.whole else ())]
    if not all(map(_is_digest, digests)):
        raise ValueError("an object has another name than a SHA-256")
    return Known(
        shown(known.address), int(known.size), str(known.tag), str(known.modified),
        float(known.fresh_until), pieces, str(known.whole),
    )  # fmt: skip
