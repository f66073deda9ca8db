"""Addresses that a command takes in place of the file name of an archive."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from kheadersfs.errors import UsageError


def shown(address: str) -> str:
    """Return *address* without its user, password, query and fragment, which may be secret."""
    scheme, _, rest = address.partition("://")
    place = rest.partition("#")[0].partition("?")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def is_fixed(address: str) -> bool:
    """Tell whether *address* contains the digest of its content, so that this never changes."""
    return address.startswith("oci://") and "@sha256:" in address


def parse(address: str) -> SplitResult:
    """Return the parts of *address*.

    Raises UsageError when it names no file on a server, contains a user or a password, or has
    characters that have to be percent-encoded.
    """
    try:
        parts = urlsplit(address)
        has_host, _ = bool(parts.hostname), parts.port
    except ValueError:
        has_host = False
    if not has_host or not parts.path.strip("/"):
        raise UsageError(f"{shown(address)}: names no file on a server; see kheadersfs help mount")
    if "@" in parts.netloc:
        raise UsageError(
            f"{shown(address)}: has a user in it, which ps shows to everybody; put it into ~/.netrc"
        )
    if not address.isascii() or not address.isprintable() or " " in address:
        raise UsageError(
            f"{shown(address)}: has characters that an address cannot have; percent-encode them, "
            "a space as %20"
        )
    return parts
