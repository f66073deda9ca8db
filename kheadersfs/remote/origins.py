"""Where requests for an address go, and with which credentials: those of the usual places.

None of them is in a message, in an argument of a process, or in the cache.
"""

from __future__ import annotations

import base64
import netrc
import os
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.remote import address
from kheadersfs.remote.http import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kheadersfs.remote.http import Version


class Origin(NamedTuple):
    """What to ask for the bytes at an address.

    ``target`` is what http.Client takes. ``resolve`` returns the version that there is now, where
    that has a name of its own; None where only an answer tells. ``adopt`` is called instead with
    the tag of a version that is known.
    """

    target: Callable[[str], Awaitable[Target]]
    resolve: Callable[[], Awaitable[Version]] | None = None
    adopt: Callable[[str], object] = len


def origin_of(place: str, patience: float) -> Origin:
    """Return what to ask for *place*. Raises UsageError, ArchiveUnavailable."""
    parts = address.parse(place)
    if parts.scheme == "s3":
        from kheadersfs.remote.s3 import Bucket  # with obstore, which only these addresses need

        return Origin(Bucket(parts.netloc, parts.path.lstrip("/")).target)
    if parts.scheme == "oci":
        from kheadersfs.remote.oci import Blob  # with subprocess, which only these addresses need

        blob = Blob(place, patience)
        return Origin(blob.target, blob.resolve, blob.adopt)
    target = Target(place, basic(credentials_of(parts.hostname or "")))

    async def get_target(_challenge: str) -> Target:
        return target

    return Origin(get_target)


def credentials_of(host: str) -> tuple[str, str] | None:
    """Return user and password for *host* from $NETRC or ~/.netrc; None if there are none."""
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return None if found is None else (found[0], found[2] or "")


def basic(credentials: tuple[str, str] | None) -> dict[str, str]:
    """Return the header that says *credentials*; none without them."""
    if credentials is None:
        return {}
    encoded = base64.b64encode(":".join(credentials).encode()).decode()
    return {"Authorization": f"Basic {encoded}"}
