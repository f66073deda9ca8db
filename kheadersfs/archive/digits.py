"""Numbers in headers, and how far it is from one to the next."""

from __future__ import annotations

NANOSECONDS = 1_000_000_000
"""Nanoseconds in a second."""
_DIGITS = {8: b"01234567", 10: b"0123456789", 16: b"0123456789abcdefABCDEF"}


def parse_digits(field: bytes, base: int) -> int:
    """Return the number that *field* holds in digits of *base* and nothing else.

    int() would also take signs, spaces, underscores and prefixes, and a walk whose steps can be
    negative need not end. Raises ValueError.
    """
    if not field or field.strip(_DIGITS[base]):
        raise ValueError("a header has no number where there should be one")
    return int(field, base)


def aligned(size: int, alignment: int) -> int:
    """Return *size* rounded up to a multiple of *alignment*."""
    return size + -size % alignment


def padded(content: bytes, alignment: int) -> bytes:
    """Return *content* with zeros up to a multiple of *alignment*."""
    return content + bytes(-len(content) % alignment)
