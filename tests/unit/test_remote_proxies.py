"""Which proxy the environment means."""

from __future__ import annotations

import pytest

from kheadersfs.errors import ArchiveUnavailable
from kheadersfs.remote.proxies import Proxy, proxy_for

PLAIN = Proxy("http://proxy:3128", None)
BOTH = {"http_proxy": "http://proxy:3128", "https_proxy": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("environment", "address", "expected"),
    [
        ({}, "http://host/k", None),
        (BOTH, "http://host/k", PLAIN),
        (BOTH, "https://host/k", PLAIN),
        ({"http_proxy": "proxy:3128"}, "http://host/k", PLAIN),
        ({"http_proxy": "proxy:3128"}, "https://host/k", None),
        ({"HTTP_PROXY": "proxy:3128"}, "http://host/k", None),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://host/k", PLAIN),
        ({"ALL_PROXY": "http://proxy:3128/"}, "http://host/k", PLAIN),
        ({"http_proxy": ""}, "http://host/k", None),
        ({"http_proxy": "https://proxy"}, "http://host/k", Proxy("https://proxy:443", None)),
        ({"http_proxy": "http://[::1]:8"}, "http://host/k", Proxy("http://[::1]:8", None)),
        (
            {"http_proxy": "http://me:a%20word@proxy:3128"},
            "http://host/k",
            Proxy("http://proxy:3128", ("me", "a word")),
        ),
    ],
)
def test_a_proxy_is_found(environment: dict[str, str], address: str, expected: Proxy) -> None:
    assert proxy_for(address, environment) == expected


@pytest.mark.parametrize(
    ("exceptions", "is_excepted"),
    [
        ("*", True),
        ("other, host.example.org", True),
        ("example.org", True),
        (".example.org", True),
        ("ample.org", False),
        ("host", False),
        ("host.example.org:8080", True),
        ("host.example.org:80", False),
        ("EXAMPLE.org", True),
        ("", False),
        (",", False),
    ],
)
def test_hosts_and_domains_are_excepted(exceptions: str, is_excepted: bool) -> None:
    address = "http://Host.example.org:8080/k"
    found = proxy_for(address, {**BOTH, "no_proxy": exceptions})
    assert found == (None if is_excepted else PLAIN)


@pytest.mark.parametrize(
    ("address", "exceptions", "is_excepted"),
    [
        ("http://10.1.2.3/k", "10.0.0.0/8", True),
        ("http://10.1.2.3/k", "11.0.0.0/8", False),
        ("http://10.1.2.3/k", "10.1.2.3", True),
        ("http://host/k", "10.0.0.0/8", False),
        ("http://[fd00::1]/k", "fd00::/8", True),
        ("http://[fd00::1]/k", "[fd00::1]", True),
        ("http://[fd00::1]:8/k", "fd00::1", True),
    ],
)
def test_numbers_and_networks_are_excepted(
    address: str, exceptions: str, is_excepted: bool
) -> None:
    found = proxy_for(address, {**BOTH, "NO_PROXY": exceptions})
    assert found == (None if is_excepted else PLAIN)


@pytest.mark.parametrize("text", ["socks5://secret:1080", "http:///secret", "http://secret:port"])
def test_what_is_no_proxy_of_http_is_named_without_its_value(text: str) -> None:
    with pytest.raises(ArchiveUnavailable, match="http_proxy: is not the address") as raised:
        proxy_for("http://host/k", {"http_proxy": text})
    assert "secret" not in str(raised.value)
