"""Checks the checksums of cpio's crc format, which libarchive does not check.

A checksum is the sum of all bytes of a file, modulo 2^32 (cpio(5), "New CRC Format"). The archive's
bytes are followed here on their way to libarchive.
"""

from __future__ import annotations

import stat

from kheadersfs.archive.cpio.fields import ALIGNMENT, CRC_MAGIC, HEADER_SIZE, TRAILER
from kheadersfs.archive.digits import aligned, parse_digits
from kheadersfs.archive.tar import fields as tar


class CpioSums:
    """Follows an archive of the crc format, piece by piece. Other formats are not checked."""

    __slots__ = ("_check", "_done", "_head", "_left", "_padding", "_started", "_sum")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._padding = 0
        self._check: int | None = None
        self._sum = 0
        self._started = False
        self._done = False

    def follow(self, piece: bytes) -> None:
        """Check the next *piece* of the archive. Raises ValueError when a checksum is wrong."""
        if not self._started:
            self._started = True
            # The first member of a tar may have a name that begins like cpio's magic.
            self._done = tar.is_header(piece[: tar.BLOCK])
        position = 0
        while position < len(piece) and not self._done:
            if self._left:
                content = piece[position : position + self._left]
                position += len(content)
                self._left -= len(content)
                self._add(content)
            elif self._padding:
                skipped = min(self._padding, len(piece) - position)
                position += skipped
                self._padding -= skipped
            else:
                position += self._take_head(piece[position:])

    def _add(self, content: bytes) -> None:
        """Add *content* to the sum of its file, and check that at its end. Raises ValueError."""
        if self._check is None:
            return
        self._sum = (self._sum + sum(content)) & 0xFFFFFFFF
        if self._left == 0 and self._sum != self._check:
            raise ValueError(f"a file's checksum is {self._sum:08x}, not {self._check:08x}")

    def _take_head(self, piece: bytes) -> int:
        """Collect a header and its name from *piece*. Returns the number of bytes taken."""
        wanted = HEADER_SIZE
        if len(self._head) >= HEADER_SIZE:
            wanted = aligned(HEADER_SIZE + parse_digits(self._head[94:102], 16), ALIGNMENT)
        taken = piece[: wanted - len(self._head)]
        self._head += taken
        if not self._head.startswith(CRC_MAGIC[: len(self._head)]):
            self._done = True  # another format, or damage that libarchive will report
        elif len(self._head) == wanted > HEADER_SIZE:
            self._begin_content(self._head)
            self._head = b""
        return len(taken)

    def _begin_content(self, head: bytes) -> None:
        """Note size and checksum of the member with the header and name *head*."""
        self._left = parse_digits(head[54:62], 16)
        self._padding = -self._left % ALIGNMENT
        self._sum = 0
        regular = stat.S_ISREG(parse_digits(head[14:22], 16))
        self._check = parse_digits(head[102:110], 16) if regular else None
        self._done = head[HEADER_SIZE:].startswith(TRAILER + b"\0")
