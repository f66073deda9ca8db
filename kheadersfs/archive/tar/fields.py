"""The fields of tar's headers: numbers, and what extended headers say."""

from __future__ import annotations

from kheadersfs.archive.digits import NANOSECONDS, parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
"""Bytes of a header. Each content, and a tar as a whole, is padded to a multiple of them."""
LARGEST_PADDING = 1 << 20
"""GNU cpio and tar pad to their output block; nobody uses larger ones than this."""
USTAR = b"ustar\0"
POSIX = USTAR + b"00"
GNU = b"ustar  \0"
MAGIC = 257
GNU_EXTENSIONS = {b"L": b"path", b"K": b"linkpath"}
"""What each type of GNU's headers says of the member behind it, by pax's keyword for the same."""
_DIGITS_OF_A_LENGTH = 20
_NEWLINE = ord("\n")


def is_header(head: bytes) -> bool:
    """Tell whether *head* is a tar header, by its checksum (old tar has no magic)."""
    if len(head) < BLOCK:
        return False
    try:
        stated = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head) - sum(head[148:156]) + 8 * 0x20


def may_be_packed(header: bytes) -> bool:
    """Tell whether *header* is one that pack may have written: GNU's, with nothing optional."""
    return header.startswith(GNU, MAGIC) and not any(header[MAGIC + len(GNU) :])


def number(field: bytes, signed: bool = False) -> int:
    """Return the number in *field*, in octal digits or in base 256; GNU tar has that of 95 bits.

    Raises ValueError.
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
    """Yield keyword and value of each of *records*: length, space, keyword=value, newline.

    Raises ValueError.
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
    """Return *value*, seconds in decimal digits and perhaps a fraction, in nanoseconds.

    Raises ValueError.
    """
    seconds, _, fraction = value.partition(b".")
    negative = seconds.startswith(b"-")
    whole = parse_digits(seconds.removeprefix(b"-"), 10) * NANOSECONDS
    if negative:
        if fraction:
            raise ValueError("readers do not agree on a time with a fraction before 1970")
        return -whole
    return whole + parse_digits(fraction[:9].ljust(9, b"0"), 10)
