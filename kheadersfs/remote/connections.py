"""Connections to servers, which are kept: some through a proxy, the others through none."""

from __future__ import annotations

import ssl
from typing import Any

import httpcore

from kheadersfs.remote.proxies import Proxy, proxy_for

_MOST = 8


class Connections:
    """Connections that check certificates as the system does.

    SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's own.
    """

    def __init__(self) -> None:
        self._ssl_context = ssl.create_default_context()
        self._pools: dict[Proxy | None, httpcore.AsyncConnectionPool] = {}

    def leading_to(self, address: str) -> httpcore.AsyncConnectionPool:
        """Return those for a request to *address*. Raises what proxy_for() raises."""
        proxy = proxy_for(address)
        pool = self._pools.get(proxy)
        if pool is None:
            pool = self._pools[proxy] = self._make(proxy)
        return pool

    @property
    def way(self) -> str:
        """Words for a message that nobody can be reached: through which proxies, if any."""
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
