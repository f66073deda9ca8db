"""What is said between who reads and the process that fetches, over stream sockets.

A request has one of two kinds: a range to be answered with its bytes, or a number of extents that
follow, which will be asked for soon. Each has one reply. All numbers are little-endian.
"""

from __future__ import annotations

import struct

READ, EXPECT, ALL = 0, 1, 2
"""Kinds of request: a range; extents that are wanted soon; all of the file, to be kept."""

REQUEST = struct.Struct("<BQQ32s")
"""Kind; for a range its offset and length, and the SHA-256 that it must have, zeros for any."""
EXTENT = struct.Struct("<QQ32s")
"""Offset, length and SHA-256, of which as many follow an EXPECT as its offset says."""
REPLY = struct.Struct("<BQ")
"""An exit status, 0 before bytes and another before a message, and how many bytes follow."""

ANY = bytes(32)
"""Stands for the digest of a range for which none is known."""
LONGEST_MESSAGE = 4096
MOST_EXTENTS = 1 << 12
CHANNELS = 4
"""Sockets between the two: as many ranges can be waited for."""

PATIENCE = 20.0
"""Seconds in which a server has to answer, and send what is asked for at SLOWEST."""
SLOWEST = 64 << 10
"""Bytes a second."""
GRACE = 10.0
"""Seconds after which the process that fetches is given up, if it says nothing by itself."""


def allowed_seconds(patience: float, length: int) -> float:
    """Return the seconds after which *length* bytes that have not come are an error."""
    return patience + length / SLOWEST
