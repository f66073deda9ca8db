"""Addresses that can stand where a file's name can."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from kheadersfs.errors import UsageError


def shown(address: str) -> str:
    """Return *address* without what may be secret: a user, a password, a signature behind "?"."""
    scheme, _, rest = address.partition("://")
    place = rest.partition("#")[0].partition("?")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def is_fixed(address: str) -> bool:
    """Tell whether *address* has the digest of what it means, and can never mean anything else."""
    return address.startswith("oci://") and "@sha256:" in address


def parse(address: str) -> SplitResult:
    """Return the parts of *address*. Raises UsageError when it is none, or names a password."""
    try:
        parts = urlsplit(address)
        has_host, _ = bool(parts.hostname), parts.port
    except ValueError:
        has_host = False
    if not has_host or not parts.path.strip("/"):
        raise UsageError(f"{shown(address)}: names no file on a server; see kheadersfs help mount")
    if "@" in parts.netloc:
        raise UsageError(
            f"{shown(address)}: has a user in it, which ps shows to all; put it into ~/.netrc"
        )
    if not address.isascii() or not address.isprintable() or " " in address:
        raise UsageError(f"{shown(address)}: has characters that no address has; encode them: %20")
    return parts
