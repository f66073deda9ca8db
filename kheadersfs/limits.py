"""Limit what an archive may hold, and how long reading it may take.

The defaults are several times what the headers of a kernel need, and small enough that no archive
can take more than 200 MB of memory or four minutes of a processor. Each can be changed by name.

Times are those of a processor, as the clock goes on while a machine is busy with something else. A
fast machine reads a kernel's headers in a second. An emulated one has taken 51 to 139 seconds, as
it counts the time that a busy host takes from it as its own (tools/docs/vm.md).
"""

from __future__ import annotations

import sys
from time import process_time, thread_time

from kheadersfs.errors import RefusedArchive
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    LimitName = Literal[
        "members", "total", "file", "path", "depth", "target",
        "ratio", "block", "blocks", "memory", "seconds", "decode",
    ]  # fmt: skip

DEFAULT_BUDGET = 64 << 20
"""Bytes of decoded blocks to hold: a kernel's headers fit with room to spare."""
HARMLESS = 64 << 20
"""Bytes that anything may decompress to, whatever the ratio."""


class Limits(Record):
    """Sizes are in bytes.

    ``members``: names in the archive and the directories that these imply; what kernels of one
    index have in common counts once. ``total``: content of all files. ``file``: of one. ``path``
    and ``target``: length of a path and of a symlink's target. ``depth``: names in a path.
    ``ratio``: how often what an archive decompresses to may be its own size, beyond HARMLESS.
    ``block``: of a block of an archive with an index, in the file or decompressed. ``blocks``: how
    many there are. ``memory``: what an archive without an index takes when its content is held
    compressed, with all names. ``seconds``: of a processor, that this process may take to read an
    archive's names, with its content if there is no index. ``decode``: the same for one block,
    which later ones wait for.
    """

    members: int = 200_000
    total: int = 1 << 30
    file: int = 256 << 20
    path: int = 4096
    depth: int = 128
    target: int = 4095
    ratio: int = 200
    block: int = 32 << 20
    blocks: int = 1 << 16
    memory: int = 64 << 20
    seconds: int = 240
    decode: int = 60

    def check(self, archive: str, name: LimitName, value: float) -> None:
        """Raise RefusedArchive when *archive* has a *value* beyond the limit *name*."""
        limit: int = getattr(self, name)
        if value > limit:
            raise RefusedArchive(
                f"{archive}: {SUBJECTS[name]} is beyond {limit}; "
                f"if you trust it, allow more: --limit {name}=NUMBER"
            )


DEFAULT_LIMITS = Limits()
UNLIMITED = Limits(*[sys.maxsize] * len(Limits._fields))

SUBJECTS: dict[LimitName, str] = {
    "members": "the number of names",
    "total": "the content of all files in bytes",
    "file": "the size of a file in bytes",
    "path": "the length of a path in bytes",
    "depth": "the number of names in a path",
    "target": "the length of a symlink's target in bytes",
    "ratio": "the ratio of compression",
    "block": "the size of a block in bytes",
    "blocks": "the number of blocks",
    "memory": "what would be held of it in memory, in bytes,",
    "seconds": "the time to read it, in seconds of a processor,",
    "decode": "the time to decode a block, in seconds of a processor,",
}
"""What each limit is of, as the subject of a sentence."""


class Meter:
    """Counts what one reading of an archive of *stored_size* bytes has decoded, and its time."""

    __slots__ = ("_archive", "_decoded", "_start", "_stored_size", "limits")

    def __init__(self, archive: str, stored_size: int, limits: Limits) -> None:
        self._archive = archive
        self._stored_size = max(stored_size, 1)
        self.limits = limits
        self._decoded = 0
        self._start = process_time()

    def count(self, decoded: int) -> None:
        """Take note of as many bytes. Raises RefusedArchive when that is beyond a limit."""
        self._decoded += decoded
        limits = self.limits
        if self._decoded > HARMLESS:
            limits.check(self._archive, "ratio", self._decoded / self._stored_size)
        limits.check(self._archive, "seconds", process_time() - self._start)


class Stopwatch:
    """Measures what decoding one block takes the calling thread."""

    __slots__ = ("_archive", "_limits", "_start")

    def __init__(self, archive: str, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._start = thread_time()

    def watch(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield *pieces*. Raises RefusedArchive when getting them has taken too long."""
        for piece in pieces:
            self._limits.check(self._archive, "decode", thread_time() - self._start)
            yield piece
