"""What cpio headers begin with, and the sizes in them. Source: cpio(5) of libarchive."""

from __future__ import annotations

from kheadersfs.archive.tar import fields as tar

MAGIC = b"070701"
"""What a header of the newc format begins with."""
CRC_MAGIC = b"070702"
"""What a header of the crc format begins with. It is a newc header with a checksum."""
_MAGICS = (MAGIC, CRC_MAGIC, b"070707")  # the last is that of the odc format
OLD_MAGICS = (b"\xc7\x71", b"\x71\xc7")
"""What the old binary format begins with: octal 070707 in 16 bits, in either byte order."""
HEADER_SIZE = 110
"""Bytes of a newc or crc header. The name follows it."""
ALIGNMENT = 4
"""Header and name together, and each content, are padded to a multiple of so many bytes."""
TRAILER = b"TRAILER!!!"
"""The name of the end marker, which is a member without content."""


def is_header(head: bytes) -> bool:
    """Tell whether *head* begins a cpio archive.

    A tar whose first name begins with such a magic is told apart by its checksum.
    """
    return head.startswith(_MAGICS) and not tar.is_header(head[: tar.BLOCK])
