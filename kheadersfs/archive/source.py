"""Sources: bytes of an archive that can be read at any offset.

There is no shared cursor, so any thread may read at any time. Files are not mapped into memory:
when somebody truncates a mapped file, its reader gets SIGBUS, while a read fails with an error.
"""

from __future__ import annotations

import os
import stat

from kheadersfs.errors import (
    ArchiveUnavailable,
    DamagedArchive,
    UnreadableArchive,
    UnsupportedArchive,
    damaged,
    quoted,
    reason,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NO_PIPE = "an archive is read at any place in it, so save it to a file and name that"
_DIGESTED_AT_ONCE = 1 << 20
"""Bytes that are read and digested at once."""


class Source:
    """Bytes that can be read at any offset, from any thread.

    ``name`` is for messages. ``size`` is that of the file when it was opened, in bytes.
    """

    __slots__ = ("name", "size")

    is_far = False
    """Whether each read is a request to another machine. Then learn() and expect() help to fetch
    blocks in advance."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes from *offset*.

        Raises DamagedArchive when the file has fewer bytes, UnreadableArchive when it cannot be
        read now.
        """
        raise NotImplementedError

    def available(self, offset: int, limit: int) -> int:
        """Return how many bytes to read at *offset* at once, *limit* at most.

        A source that decodes returns no more than what is left of the piece that is decoded. So
        damage behind that piece does not take these bytes away.
        """
        return min(limit, self.size - offset)

    def learn(self, extents: Iterable[tuple[int, int, bytes]]) -> None:
        """Take note of the blocks in the file: offset, size in bytes and SHA-256 of each."""

    def expect(self, count: int) -> None:
        """Fetch the first *count* of the blocks that learn() got, without waiting for them."""

    def keep_all(self, tell: Callable[[int, int], None] | None = None) -> None:
        """Fetch the whole file at once, before all of it is read from front to back.

        If it has to be fetched, *tell* is called with the bytes that have come, and the size.
        Raises UnreadableArchive, and RefusedArchive when it is too large for that.
        """

    def close(self) -> None:
        """Close what the source has open."""


class FileSource(Source):
    """An open regular file, whose *descriptor* this object owns."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int, name: str, size: int) -> None:
        super().__init__(name, size)
        self.descriptor = descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at. A file that has become shorter raises DamagedArchive."""
        pieces: list[bytes] = []
        missing = length
        while missing > 0:
            try:
                piece = os.pread(self.descriptor, missing, offset + length - missing)
            except OSError as error:
                raise UnreadableArchive(
                    f"{self.name}: cannot read {missing} bytes at offset {offset}: "
                    f"{reason(error)}; see to the disk or network it is on, and try again"
                ) from error
            if not piece:
                raise DamagedArchive(
                    f"{self.name}: the file ends before offset {offset + length}: "
                    "it is truncated; make or fetch it again"
                )
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the descriptor."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class BytesSource(Source):
    """An archive in memory."""

    __slots__ = ("content",)

    def __init__(self, content: bytes, name: str = "archive in memory") -> None:
        super().__init__(name, len(content))
        self.content = content

    def read_at(self, offset: int, length: int) -> bytes:
        """See Source.read_at."""
        piece = self.content[offset : offset + length]
        if len(piece) != length:
            raise damaged(self.name, f"it ends before offset {offset + length}")
        return piece


def open_source(path: str | bytes) -> FileSource:
    """Open the regular file at *path* for positional reads.

    Raises ArchiveUnavailable when it cannot be opened or is not a regular file,
    UnsupportedArchive when it is empty.
    """
    name = os.fsdecode(path)
    if not name:
        raise ArchiveUnavailable("ARCHIVE is empty; name an archive of kernel headers")
    if name == "-":
        raise ArchiveUnavailable(f"-: standard input is not read; {_NO_PIPE}")
    try:
        # Without O_NONBLOCK, opening a fifo would wait for a writer. It is to be refused instead.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ArchiveUnavailable(_why_not_opened(name, error)) from error
    except ValueError as error:
        raise ArchiveUnavailable(
            f"{name!r}: is not a file name: {error}; name an archive of kernel headers"
        ) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISFIFO(status.st_mode):
            raise ArchiveUnavailable(f"{name}: is a pipe; {_NO_PIPE}")
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ArchiveUnavailable(f"{name}: is {kind}; name an archive of kernel headers")
        if status.st_size == 0:
            raise UnsupportedArchive(f"{name}: the file is empty; make or fetch it again")
    except BaseException:
        os.close(descriptor)
        raise
    return FileSource(descriptor, name, status.st_size)


def _why_not_opened(name: str, error: OSError) -> str:
    """Return the message for the file *name* that could not be opened.

    It may be an address of a kind that is not fetched.
    """
    scheme, is_address, place = name.partition("://")
    if not is_address or not isinstance(error, FileNotFoundError):
        return f"{name}: cannot open the archive: {reason(error)}"
    advice = f"download it: curl -O {quoted(name)}"
    if scheme == "file":
        advice = f"name the file: {quoted(place[max(place.find('/'), 0) :])}"
    return f"{name}: is an address of a kind that is not fetched; {advice}"


def digest_of(source: Source, size: int) -> bytes:
    """Return the SHA-256 of the first *size* bytes of *source*.

    Raises what its read_at() raises.
    """
    from kheadersfs.digests import sha256  # 5 ms, which no mount command pays

    source.keep_all()
    state = sha256()
    for offset in range(0, size, _DIGESTED_AT_ONCE):
        state.update(source.read_at(offset, min(_DIGESTED_AT_ONCE, size - offset)))
    return state.digest()
