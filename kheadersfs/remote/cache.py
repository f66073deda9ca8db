"""What was fetched, kept by its SHA-256, and what was known of each address.

``objects`` has one file for each piece, named by the SHA-256 of its content: a block that several
archives share is there once, whichever address it came from. ``addresses`` has a record for each,
named by the SHA-256 of the address. A file gets its name when it is complete, and what is read is
held against its name, so neither a process that is killed nor a full disk leaves anything wrong
behind; what is not complete goes with the next process that opens the cache. Any number of them may
write at once: what has the same name is the same.
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
"""Of the size that is allowed, what is left when something is removed."""
_LARGEST_RECORD = 1 << 20


class Piece(NamedTuple):
    """A range of a file, and the SHA-256 of its content in hexadecimal."""

    offset: int
    length: int
    digest: str


class Known(NamedTuple):
    """What a server said of the file at an address, and what was fetched of it.

    ``tag`` is its ETag, or the digest by which a registry names it; ``modified`` its Last-Modified;
    each may be empty. ``fresh_until`` is the time, in seconds since 1970, until which the server
    need not be asked again. ``pieces`` have no place in an index: beginning and end.
    """

    address: str
    size: int
    tag: str
    modified: str
    fresh_until: float
    pieces: tuple[Piece, ...]
    whole: str


class Cache:
    """The directory, which only its user can write to. *limit* is in bytes.

    ``complaint`` says why nothing can be kept at the moment, empty if it can.
    """

    def __init__(self, directory: str, limit: int) -> None:
        self.directory = directory
        self.complaint = ""
        self._objects = os.path.join(directory, "objects")
        self._addresses = os.path.join(directory, "addresses")
        self._limit = limit
        self._size = 0

    def prepare(self) -> None:
        """Make the directories, and find out how much is there. Without them nothing is kept."""
        try:
            for directory in (self._objects, self._addresses):
                os.makedirs(directory, mode=0o700, exist_ok=True)
                _remove_remains(directory)
        except OSError as error:
            self.complaint = f"{self.directory}: {reason(error)}"
        self._size = sum(size for _, size, _ in self._list())

    def get(self, digest: str) -> bytes | None:
        """Return what has the SHA-256 *digest*, None if it is not there."""
        path = os.path.join(self._objects, digest)
        try:
            with open(path, "rb") as file:
                content = file.read()
            os.utime(path)
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() == digest:
            return content
        with suppress(OSError):  # a disk that forgets; it is fetched anew
            os.unlink(path)
        return None

    def has(self, digest: str) -> bool:
        """Tell whether something is kept under *digest*."""
        return os.path.exists(os.path.join(self._objects, digest))

    def put(self, content: bytes) -> str:
        """Keep *content* if that is possible. Returns its SHA-256."""
        digest = hashlib.sha256(content).hexdigest()
        if len(content) <= self._limit and self._write(self._objects, digest, content):
            self._size += len(content)
            if self._size > self._limit:
                self._shrink()
        return digest

    def known(self, address: str) -> Known | None:
        """Return what was noted of *address*, None if nothing was that can be used."""
        return self._read(os.path.join(self._addresses, _name_of(address)))

    def note(self, address: str, known: Known) -> None:
        """Note what is *known* of *address*."""
        self._write(self._addresses, _name_of(address), json.dumps(known).encode())

    def everything(self) -> tuple[int, int, list[Known]]:
        """Return how many pieces there are, how many bytes they take, and what is noted."""
        sizes = [size for _, size, _ in self._list()]
        notes: list[Known] = []
        with suppress(OSError):
            for name in sorted(os.listdir(self._addresses)):
                known = self._read(os.path.join(self._addresses, name))
                if known is not None:
                    notes.append(known)
        return len(sizes), sum(sizes), notes

    def clear(self) -> None:
        """Remove everything. Who reads at this moment fetches again. Raises OSError."""
        for directory in (self._addresses, self._objects):
            with suppress(FileNotFoundError):
                for name in os.listdir(directory):
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.join(directory, name))

    def _read(self, path: str) -> Known | None:
        try:
            with open(path, "rb") as file:
                return _decode(file.read(_LARGEST_RECORD))
        except (OSError, ValueError, TypeError):
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
        """Yield time of last use, size and path of each object."""
        with suppress(OSError), os.scandir(self._objects) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_mtime_ns, status.st_size, entry.path

    def _shrink(self) -> None:
        """Remove what was not used for longest, until there is room again."""
        found = sorted(self._list())
        self._size = sum(size for _, size, _ in found)
        for _, size, path in found:
            if self._size <= self._limit * _KEPT:
                break
            with suppress(OSError):
                os.unlink(path)
            self._size -= size


def _remove_remains(directory: str) -> None:
    """Remove what processes that were killed had not written to the end: nobody has it locked.

    One that has only just been made is its writer's loss, who keeps nothing then. Raises OSError.
    """
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if name.endswith(_PARTIAL):
            with suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)


def _name_of(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def _decode(record: bytes) -> Known:
    """Raises ValueError or TypeError when *record* is none."""
    known = Known(*json.loads(record))
    pieces = tuple(
        Piece(int(offset), int(length), str(hexadecimal))
        for offset, length, hexadecimal in known.pieces
    )
    return Known(
        shown(known.address), int(known.size), str(known.tag), str(known.modified),
        float(known.fresh_until), pieces, str(known.whole),
    )  # fmt: skip
