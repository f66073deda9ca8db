"""The protocol between the process that reads and the one that fetches, over stream sockets.

Each request on a socket has one reply, before the next request. There are three kinds of request:
the bytes of a range, a list of extents that will be read soon, and the whole file. Before the reply
to the last kind there may be others that say how many bytes have come. All numbers are
little-endian, sizes and offsets are in bytes.
"""

from __future__ import annotations

import struct

READ, EXPECT, ALL = 0, 1, 2
"""Kinds of request: the bytes of a range; extents that will be read soon; the whole file, which the
process that fetches holds from then on."""

REQUEST = struct.Struct("<BQQ32s")
"""Kind, offset, length and SHA-256. READ uses all of them, with ANY if no digest is known. EXPECT
has the number of extents that follow in place of the offset."""
EXTENT = struct.Struct("<QQ32s")
"""Offset, length and SHA-256."""
REPLY = struct.Struct("<BQ")
"""Status, and the number of bytes that follow. These are content if the status is 0. Otherwise they
are the message of an error, and the status is the exit status of its class (errors.py)."""
PROGRESS = 255
"""A status in the place of an exit status: so many bytes have come so far, and nothing follows."""

ANY = bytes(32)
"""In place of the digest of a range for which none is known."""
LONGEST_MESSAGE = 4096
"""Bytes of an error's message."""
MOST_EXTENTS = 1 << 12
"""Extents behind one EXPECT."""
CHANNELS = 4
"""Sockets between the two processes, which is how many requests can wait at the same time."""

PATIENCE = 20.0
"""Seconds in which a server has to answer; it has more for each byte, see allowed_seconds()."""
SLOWEST = 64 << 10
"""Bytes a second at which a server has to send, at least."""
GRACE = 10.0
"""Seconds that the reader waits beyond those that the process that fetches allows its server."""


def allowed_seconds(patience: float, length: int) -> float:
    """Return the seconds that an answer of *length* bytes may take, before it is an error."""
    return patience + length / SLOWEST
