"""Numbers in headers, and padding."""

from __future__ import annotations

NANOSECONDS = 1_000_000_000
"""Nanoseconds in a second."""
_DIGITS = {8: b"01234567", 10: b"0123456789", 16: b"0123456789abcdefABCDEF"}


def parse_digits(field: bytes, base: int) -> int:
    """Return the number in *field*. Raises ValueError unless that has digits of *base* only.

    int() would also accept signs, spaces, underscores and prefixes. A negative size would lead
    whoever follows it backwards, perhaps without an end.
    """
    if not field or field.strip(_DIGITS[base]):
        raise ValueError("a header has no number where there should be one")
    return int(field, base)


def aligned(size: int, alignment: int) -> int:
    """Return *size* rounded up to a multiple of *alignment*."""
    return size + -size % alignment


def padded(content: bytes, alignment: int) -> bytes:
    """Return *content*, padded with zeros to a multiple of *alignment* bytes."""
    return content + bytes(-len(content) % alignment)
