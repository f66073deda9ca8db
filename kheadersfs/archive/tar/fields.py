"""Fields of tar headers: magic, checksum, numbers, and the records of extended headers."""

from __future__ import annotations

from kheadersfs.archive.digits import NANOSECONDS, parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
"""Bytes of a header. The content of each member, and the tar, is padded to a multiple of them."""
LARGEST_PADDING = 1 << 20
"""Bytes of padding at the end of an archive. GNU tar and cpio pad it to a multiple of the size in
which they write, and nobody sets a larger one than this."""
USTAR = b"ustar\0"
POSIX = USTAR + b"00"
GNU = b"ustar  \0"
MAGIC = 257
"""Offset of the magic in a header. The magic is POSIX or GNU; old tar has none."""
GNU_EXTENSIONS = {b"L": b"path", b"K": b"linkpath"}
"""Types of GNU's headers in front of a member, and the pax keyword for what each one says."""
_DIGITS_OF_A_LENGTH = 20
_NEWLINE = ord("\n")


def is_header(head: bytes) -> bool:
    """Tell whether *head* begins with a tar header, by its checksum, as old tar has no magic."""
    if len(head) < BLOCK:
        return False
    try:
        stated = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head) - sum(head[148:156]) + 8 * 0x20


def may_be_packed(header: bytes) -> bool:
    """Tell whether pack may have written *header*: a GNU header with zeros behind the magic."""
    return header.startswith(GNU, MAGIC) and not any(header[MAGIC + len(GNU) :])


def number(field: bytes, signed: bool = False) -> int:
    """Return the number in *field*: octal digits, or GNU tar's base 256.

    The latter is marked by the field's highest bit, and is in two's complement in all other bits.
    Raises ValueError for no number, and for a negative one unless it may be *signed*.
    """
    if not field[0] & 0x80:
        return parse_digits(field.strip(b" \0") or b"0", 8)
    bits = 8 * len(field) - 1
    value = int.from_bytes(field, "big") & ~(1 << bits)
    if value >> (bits - 1):
        if not signed:
            raise ValueError("a header has a negative number where there cannot be one")
        value -= 1 << bits
    return value


def pax_records(records: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keyword and value of each record in the content of an extended header.

    A record is its length in decimal digits, a space, ``keyword=value`` and a newline. Raises
    ValueError when one is malformed.
    """
    position = 0
    while position < len(records):
        space = records.find(b" ", position, position + _DIGITS_OF_A_LENGTH)
        length = parse_digits(records[position : max(space, position)], 10)
        end = position + length
        if end > len(records) or end <= space or records[end - 1] != _NEWLINE:
            raise ValueError("an extended header is cut off")
        keyword, _, value = records[space + 1 : end - 1].partition(b"=")
        yield keyword, value
        position = end


def pax_time(value: bytes) -> int:
    """Return the time *value* of an extended header in nanoseconds since 1970.

    It is written as seconds in decimal digits, and may have a fraction. Digits beyond nanoseconds
    are cut off. Raises ValueError for no time, and for one with a fraction before 1970.
    """
    seconds, _, fraction = value.partition(b".")
    negative = seconds.startswith(b"-")
    whole = parse_digits(seconds.removeprefix(b"-"), 10) * NANOSECONDS
    if negative:
        if fraction:
            raise ValueError("readers do not agree on a time with a fraction before 1970")
        return -whole
    return whole + parse_digits(fraction[:9].ljust(9, b"0"), 10)
