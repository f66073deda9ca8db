"""What is known of an address already, and may be used without asking its server.

Source: RFC 9111, 4.2 (freshness). Who reads needs neither the network nor its libraries for it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from kheadersfs.remote import address
from kheadersfs.remote.cache import Cache, Known, Piece


class Adopted(NamedTuple):
    """What the cache knows of a file, and the content of its pieces; ``whole`` is None without."""

    known: Known
    pieces: dict[Piece, bytes]
    whole: bytes | None


def adopt(cache: Cache, place: str) -> Adopted | None:
    """Return what *cache* knows of *place*, if it has all that belongs to it."""
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
    """Tell whether what is *known* of *place* can be no other now, or is said to be good still."""
    return address.is_fixed(place) or known.fresh_until > time.time()
