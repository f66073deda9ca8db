"""The proxy for a request, by the same environment variables as curl's.

Source: curl(1), ENVIRONMENT. ``HTTP_PROXY`` in upper case is ignored, because a client of a web
server can set it for a CGI program by a header field ``Proxy``.
"""

from __future__ import annotations

import os
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from kheadersfs.errors import ArchiveUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = {
    "http": ("http_proxy", "all_proxy", "ALL_PROXY"),
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
_EXCEPTIONS = ("no_proxy", "NO_PROXY")
_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """A proxy: its address without a user, and user and password, None if it has none."""

    address: str
    credentials: tuple[str, str] | None

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection to the proxy itself uses TLS."""
        return self.address.startswith("https:")


def proxy_for(address: str, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy for a request to *address*, None if that is made directly.

    Raises ArchiveUnavailable when a variable names something else than an HTTP proxy.
    """
    target = urlsplit(address)
    variables = _VARIABLES.get(target.scheme, ())
    said = next(((name, text) for name in variables if (text := environment.get(name))), None)
    exceptions = next((text for name in _EXCEPTIONS if (text := environment.get(name))), "")
    if said is None or _is_excepted(
        target.hostname or "", target.port or _PORTS[target.scheme], exceptions
    ):
        return None
    name, text = said
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        usable = parts.scheme in _PORTS and bool(parts.hostname)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        usable = False
    if not usable:
        raise ArchiveUnavailable(
            f"{name}: is not the address of an HTTP proxy, like http://proxy:3128; correct or "
            "unset it"
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(f"{parts.scheme}://{host}:{port}", credentials)


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Tell whether *host* is in *exceptions*, the value of no_proxy.

    That is a list of names, domains, addresses and networks, with commas between them.
    """
    return any(_has(word.strip().lower(), host, port) for word in exceptions.split(","))


def _has(exception: str, host: str, port: int) -> bool:
    """Tell whether *exception*, one word of no_proxy, covers *host* and *port*."""
    if exception == "*":
        return True
    if "/" in exception:
        try:
            return ip_address(host) in ip_network(exception, strict=False)
        except ValueError:
            return False
    name, colon, wanted = exception.rpartition(":")
    if colon and wanted.isdecimal() and not (":" in name and not name.endswith("]")):
        if int(wanted) != port:
            return False
        exception = name
    exception = exception.strip("[]").lstrip(".")
    return bool(exception) and (host == exception or host.endswith(f".{exception}"))
