"""Where requests for an address are sent, and with which credentials.

Credentials come from where other programs keep them (~/.netrc, docker's config.json, AWS_*). They
are never in a message, in an argument of a process, or in the cache.
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

    from kheadersfs.remote.answers import Version


class Origin(NamedTuple):
    """How to request the bytes at an address.

    ``target`` is what http.Client takes. ``resolve`` returns the current version, where a request
    of its own finds that out (a registry); it is None where the answer to a range tells it.
    ``adopt`` is called instead of ``resolve`` with the tag of the version that the cache has.
    """

    target: Callable[[str], Awaitable[Target]]
    resolve: Callable[[], Awaitable[Version]] | None = None
    adopt: Callable[[str], object] = len


def origin_of(place: str, patience: float) -> Origin:
    """Return the origin of the address *place*. *patience* is in seconds.

    Raises UsageError, ArchiveUnavailable.
    """
    parts = address.parse(place)
    if parts.scheme == "s3":
        from kheadersfs.remote.s3 import Bucket  # imports obstore, which only s3: needs

        return Origin(Bucket(parts.netloc, parts.path.lstrip("/")).target)
    if parts.scheme == "oci":
        from kheadersfs.remote.oci import Blob  # imports subprocess, which only oci: needs

        blob = Blob(place, patience)
        return Origin(blob.target, blob.resolve, blob.adopt)
    target = Target(place, basic(credentials_of(parts.hostname or "")))

    async def get_target(_challenge: str) -> Target:
        return target

    return Origin(get_target)


def credentials_of(host: str) -> tuple[str, str] | None:
    """Return user and password for *host* from the file $NETRC or ~/.netrc; None if it has none."""
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return None if found is None else (found[0], found[2] or "")


def basic(credentials: tuple[str, str] | None) -> dict[str, str]:
    """Return the header field for *credentials*, user and password, by RFC 7617; none for None."""
    if credentials is None:
        return {}
    encoded = base64.b64encode(":".join(credentials).encode()).decode()
    return {"Authorization": f"Basic {encoded}"}
