"""How the embedded index writes columns of numbers, one behind the other.

All numbers are little-endian. A column is stored in the narrowest of 1, 2, 4 and 8 bytes that
holds its largest value; its width precedes it, in one byte. How long it is its reader knows.
"""

from __future__ import annotations

import sys

from kheadersfs.bare import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_WORD = 255
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def encode_column(numbers: Iterable[int]) -> bytes:
    """Return *numbers*, none of which is negative, as a column."""
    column = array("Q", numbers)
    largest = max(column, default=0)
    width = next(width for width in _WIDTHS if largest < 1 << (8 * width))
    narrow = array(_WIDTHS[width], column)
    if sys.byteorder == "big":
        narrow.byteswap()
    return bytes((width,)) + narrow.tobytes()


class Sections:
    """One walk through *payload*, from *start* on. What cannot be there raises ValueError."""

    def __init__(self, payload: bytes, start: int = 0) -> None:
        self._payload = payload
        self._position = start

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        piece = self._payload[self._position : self._position + size]
        if len(piece) != size:
            raise ValueError("a section is cut off")
        self._position += size
        return piece

    def column(self, length: int, typecode: str) -> array[int]:
        """Return the next column, of *length* numbers, as an array of type *typecode*."""
        width = self.take(1)[0]
        if width not in _WIDTHS:
            raise ValueError(f"a column is {width} bytes wide")
        column = array(_WIDTHS[width], self.take(width * length))
        if sys.byteorder == "big":
            column.byteswap()
        if column.typecode == typecode:
            return column
        try:
            return array(typecode, column)
        except OverflowError as error:
            raise ValueError("a column has a number that is too large") from error

    def finish(self) -> None:
        """Check that nothing follows."""
        if self._position != len(self._payload):
            raise ValueError("it has stray bytes behind its columns")


def word(encoded: bytes) -> str:
    """Return a release or an architecture. Raises ValueError for what cannot be one."""
    try:
        text = encoded.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if (
        len(encoded) > _LONGEST_WORD
        or not text.isprintable()
        or " " in text
        or len(text) != len(encoded)
    ):
        raise ValueError("it names a kernel that cannot be")
    return text
