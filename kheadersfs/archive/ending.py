"""How an archive ends: with an end marker or without one, and what lies behind that.

tar, bsdtar and cpio stop at the end marker, so another archive behind it is not seen. Without an
end marker a tar is complete for both of them, and so it is here; to a cpio it belongs.
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
MORE = {
    "tar": "there is more behind its end marker, which is not shown; "
    "if that is another archive, tar --ignore-zeros shows both",
    "cpio": "there is more behind its end marker, which is not shown; cpio does not show it either",
}
_TRAILER = TRAILER + b"\0"


def note_on_end(format_name: str, rest: Iterator[bytes]) -> str:
    """Return what is odd about how a tar or cpio ends, as *format_name* says; empty if nothing.

    *rest* is what follows the last member, in pieces. Zeros may follow the end marker, and an
    index of ours; no more is looked at than it takes to know.
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
    # In cpio, an index of ours is the content of a further end marker.
    if content.startswith(_TRAILER, HEADER_SIZE):
        content = content[HEADER_SIZE + len(_TRAILER) :].lstrip(b"\0")
    return MORE[format_name] if content and not embedded.is_alone(content) else ""
