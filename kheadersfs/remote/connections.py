"""Connections to servers, directly or through a proxy, kept open for further requests."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from functools import cache
from typing import Any

import httpcore

from kheadersfs.remote.proxies import Proxy, proxy_for

_MOST = 8
"""Connections that are open at the same time, for each proxy and for those without one."""


class Connections:
    """Pools of connections, one for each proxy that is used, and one for none.

    Certificates are checked with the system's authorities, or with those that OpenSSL finds by
    SSL_CERT_FILE and SSL_CERT_DIR.
    """

    def __init__(self) -> None:
        self._ssl_context = _context()
        self._pools: dict[Proxy | None, httpcore.AsyncConnectionPool] = {}

    def leading_to(self, address: str) -> httpcore.AsyncConnectionPool:
        """Return the pool for a request to *address*.

        Raises ArchiveUnavailable when the environment names something else than an HTTP proxy.
        """
        proxy = proxy_for(address)
        pool = self._pools.get(proxy)
        if pool is None:
            pool = self._pools[proxy] = self._make(proxy)
        return pool

    @property
    def way(self) -> str:
        """Words on the proxies in use, for a message that a server cannot be reached; or ""."""
        proxies = ", ".join(proxy.address for proxy in self._pools if proxy is not None)
        return f" through the proxy {proxies}" if proxies else ""

    def _make(self, proxy: Proxy | None) -> httpcore.AsyncConnectionPool:
        settings: dict[str, Any] = {
            "ssl_context": self._ssl_context,
            "max_connections": _MOST,
            "retries": 1,
        }
        if proxy is None:
            return httpcore.AsyncConnectionPool(**settings)
        return httpcore.AsyncHTTPProxy(
            proxy.address,
            proxy_auth=proxy.credentials,
            proxy_ssl_context=self._ssl_context if proxy.is_encrypted else None,
            **settings,
        )


@cache
def _context() -> ssl.SSLContext:
    """Return what checks certificates, the same every time, as no file can be opened later."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    is_asked_for = paths.cafile is None or paths.openssl_capath_env in os.environ
    if paths.capath is not None and is_asked_for:
        # OpenSSL would look into the directory when it meets a certificate.
        for name in _names_in(paths.capath):
            with suppress(OSError):  # which SSLError is, too
                context.load_verify_locations(os.path.join(paths.capath, name))
    return context


def _names_in(directory: str) -> list[str]:
    """Return what is in *directory*; nothing of one that may not be read."""
    try:
        return os.listdir(directory)
    except OSError:
        return []
