"""What the cache has of an address, and whether it may be used without asking the server.

Source: RFC 9111, section 4.2 (freshness). Nothing here needs the network or its libraries, so that
the process that mounts can call it too.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from kheadersfs.remote import address
from kheadersfs.remote.cache import Cache, Known, Piece

LONGEST_FRESH = 86_400
"""Seconds for which an answer is used without asking again, at most."""


class Adopted(NamedTuple):
    """What the cache has of a file: its record, and the content of the pieces that this names.

    ``whole`` is the content of the whole file, None if the cache does not have it.
    """

    known: Known
    pieces: dict[Piece, bytes]
    whole: bytes | None


def adopt(cache: Cache, place: str) -> Adopted | None:
    """Return what *cache* has of the address *place*.

    Returns None unless it has a record, and either the whole file or every piece that the record
    names.
    """
    known = cache.known(place)
    if known is None:
        return None
    pieces = {piece: cache.get(piece.digest) for piece in known.pieces}
    whole = cache.get(known.whole) if known.whole else None
    present = {piece: content for piece, content in pieces.items() if content is not None}
    if whole is None and (not pieces or len(present) < len(pieces)):
        return None
    return Adopted(known, present, whole)


def is_fresh(place: str, known: Known) -> bool:
    """Tell whether *known* may be used without asking the server of *place*.

    It may when the address contains a digest, or while the server's answer is fresh. A time beyond
    LONGEST_FRESH means that the clock has been set back since.
    """
    return address.is_fixed(place) or 0 < known.fresh_until - time.time() <= LONGEST_FRESH
