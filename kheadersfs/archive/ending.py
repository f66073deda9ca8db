"""How an archive ends: whether it has an end marker, and what lies behind that.

GNU tar, bsdtar and cpio stop at the end marker, so they do not see another archive behind it. A tar
without an end marker is complete for GNU tar and bsdtar, and so it is here. A cpio must have one.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from kheadersfs.archive.cpio.fields import HEADER_SIZE, TRAILER
from kheadersfs.archive.names import index as embedded
from kheadersfs.archive.tar.fields import BLOCK, LARGEST_PADDING

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_END_MARKER = "it has no end marker: if it was cut off between two members, the rest is missing"
"""A note on a tar that ends behind a member."""
MORE = {
    "tar": "there is more behind its end marker, which is not shown; "
    "if that is another archive, tar --ignore-zeros shows both",
    "cpio": "there is more behind its end marker, which is not shown; cpio does not show it either",
}
"""Notes on an archive with something behind its end marker, by its format."""
_TRAILER = TRAILER + b"\0"


def note_on_end(format_name: str, rest: Iterator[bytes]) -> str:
    """Return a note for the user on the end of an archive; empty if nothing is odd.

    *format_name* is "tar" or "cpio". *rest* are the bytes behind the last member, in pieces. Behind
    the end marker there may be zeros, and an embedded index. Reads no further than it takes to
    know. Raises what *rest* raises.
    """
    start = next(rest, b"")
    while len(start) < BLOCK and (piece := next(rest, b"")):
        start += piece
    if not start:
        return NO_END_MARKER
    if format_name == "cpio":
        start = start.partition(_TRAILER)[2]
    zeros = 0
    behind: list[bytes] = []
    for piece in chain((start,), rest):
        content = piece if behind else piece.lstrip(b"\0")
        if content:
            behind.append(content)
        else:
            zeros += len(piece)
        if zeros > LARGEST_PADDING or sum(map(len, behind)) > embedded.LARGEST:
            break
    content = b"".join(behind)
    # In a cpio, an embedded index is the content of a second end marker.
    if content.startswith(_TRAILER, HEADER_SIZE):
        content = content[HEADER_SIZE + len(_TRAILER) :].lstrip(b"\0")
    return MORE[format_name] if content and not embedded.is_alone(content) else ""
