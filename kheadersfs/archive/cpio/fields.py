"""What the headers of cpio's formats look like."""

from __future__ import annotations

from kheadersfs.archive.tar import fields as tar

MAGIC = b"070701"
"""What a header of the newc format begins with."""
CRC_MAGIC = b"070702"
_MAGICS = (MAGIC, CRC_MAGIC, b"070707")
# Octal 070707 as a number of 16 bits, in either byte order.
OLD_MAGICS = (b"\xc7\x71", b"\x71\xc7")
HEADER_SIZE = 110
"""Bytes of a newc or crc header. The name follows it."""
ALIGNMENT = 4
"""Names and contents are padded to a multiple of so many bytes."""
TRAILER = b"TRAILER!!!"
"""The name of the end marker."""


def is_header(head: bytes) -> bool:
    """Tell whether *head* begins a cpio archive, and not a tar whose first name looks like it."""
    return head.startswith(_MAGICS) and not tar.is_header(head[: tar.BLOCK])
