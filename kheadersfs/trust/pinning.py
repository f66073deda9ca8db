"""Open an archive only if it is the one that was meant, and serve no other bytes than its own."""

from __future__ import annotations

from kheadersfs.archive.opening import Archive
from kheadersfs.errors import RefusedArchive, UsageError
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.source import Source
    from kheadersfs.limits import Limits

_PREFIX = "sha256:"
_HEXADECIMAL = frozenset("0123456789abcdef")


class Pins(Record):
    """What an archive must match.

    ``digest`` is the SHA-256 of the file, as ``kheadersfs info`` prints it; ``key`` the file of a
    public key that must have made its detached signature. None means that there is no such pin.
    """

    digest: str | None = None
    key: str | None = None


def open_pinned(source: Source, pins: Pins, limits: Limits) -> Archive:
    """Open the archive in *source*, which has to match *pins*, and take it over.

    Raises RefusedArchive when it does not, UsageError for a pin that is none, and what
    opening.open_archive() raises.
    """
    try:
        if pins.digest is not None or pins.key is not None:
            source = _pinned(source, pins)
        return Archive(source, limits)
    except BaseException:
        source.close()
        raise


def _pinned(source: Source, pins: Pins) -> Source:
    """Read all of *source*, check it, and return it as one that can give no other bytes."""
    from contextlib import ExitStack  # 3 ms, which only pinned archives pay

    from kheadersfs.trust.pinned import PinnedSource  # 14 ms, which only pinned archives pay
    from kheadersfs.trust.signature import checking  # 18 ms, which only pinned archives pay

    expected = None if pins.digest is None else _parse(pins.digest)
    visit: Callable[[bytes], object] = len
    with ExitStack() as stack:
        if pins.key is not None:
            visit = stack.enter_context(checking(source.name, pins.key))
        pinned = PinnedSource(source, visit)
    if expected is not None and pinned.digest != expected:
        raise RefusedArchive(
            f"{source.name}: is not the one that was meant: its digest is "
            f"{_PREFIX}{pinned.digest}; fetch it again, or correct the digest"
        )
    return pinned


def _parse(digest: str) -> str:
    """Return the hexadecimal part of *digest*. Raises UsageError."""
    text = digest.removeprefix(_PREFIX).lower()
    if not digest.startswith(_PREFIX) or len(text) != 64 or not _HEXADECIMAL.issuperset(text):
        raise UsageError(
            f"{digest}: give a digest as kheadersfs info prints it: sha256: and 64 digits"
        )
    return text
