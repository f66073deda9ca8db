"""Archives that are fetched through a proxy, tinyproxy, which wants a password."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.reader import open_archive
from tests.support.mounting import Mount, one_line, run_command
from tests.support.servers import Nginx, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADER = "include/linux/mm.h"
_CONFIGURATION = """
Port {port}
Listen 127.0.0.1
BasicAuth me secret
LogFile "{place}/log"
LogLevel Connect
ConnectPort {allowed}
"""


class RunningProxy(NamedTuple):
    """A proxy at ``host``; the password is in ``address``."""

    host: str
    log: Path

    @property
    def address(self) -> str:
        return f"http://me:secret@{self.host}"

    def has_been_asked_for(self, what: str) -> bool:
        return what in self.log.read_text()


@contextmanager
def tinyproxy(place: Path, allowed: str) -> Iterator[RunningProxy]:
    """Run a proxy that makes connections to the port *allowed*."""
    place.mkdir()
    port = free_port()
    (place / "log").touch()
    configuration = place / "tinyproxy.conf"
    configuration.write_text(_CONFIGURATION.format(port=port, place=place, allowed=allowed))
    with running(["tinyproxy", "-d", "-c", str(configuration)], port, place):
        yield RunningProxy(f"127.0.0.1:{port}", place / "log")


@pytest.fixture
def proxy(web: Nginx, tmp_path: Path) -> Iterator[RunningProxy]:
    with tinyproxy(tmp_path / "proxy", web.address.rpartition(":")[2]) as running_proxy:
        yield running_proxy


def content_of(archive: Path) -> bytes:
    with open_archive(archive) as opened:
        return opened.read(HEADER)


def test_a_mount_is_fetched_through_the_proxy(
    web: Nginx,
    packed: Path,
    proxy: RunningProxy,
    mount_address: Callable[..., Mount],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", proxy.address)
    address = f"{web.address}/{packed.name}"
    mounted = mount_address(address)
    assert (mounted / HEADER).read_bytes() == content_of(packed)
    assert proxy.has_been_asked_for(f"GET {address} HTTP/1.1")


def test_what_no_proxy_names_is_fetched_without_it(
    web: Nginx, packed: Path, proxy: RunningProxy
) -> None:
    words = ("cat", f"{web.address}/{packed.name}", HEADER)
    outcome = run_command(*words, http_proxy=proxy.address, no_proxy="localhost")
    assert outcome.output.encode() == content_of(packed)
    assert not proxy.has_been_asked_for("GET")


def test_a_proxy_that_refuses_or_is_not_there_is_named_without_its_password(
    web: Nginx, packed: Path, proxy: RunningProxy
) -> None:
    words = ("cat", f"{web.address}/{packed.name}", HEADER)
    wrong = run_command(*words, http_proxy=f"http://{proxy.host}")
    assert (wrong.status, "the proxy asks for a password" in one_line(wrong)) == (11, True)
    absent = f"127.0.0.1:{free_port()}"
    unreachable = run_command(*words, http_proxy=f"http://me:wrongword@{absent}")
    assert unreachable.status == 11
    assert f"cannot be reached through the proxy http://{absent}: " in one_line(unreachable)
    assert "wrongword" not in unreachable.errors


def test_a_proxy_of_tls_sees_nothing_but_the_host(
    tmp_path: Path, packed: Path, secure_web: Nginx
) -> None:
    host = secure_web.address.removeprefix("https://")
    with tinyproxy(tmp_path / "proxy", host.rpartition(":")[2]) as proxy:
        words = ("cat", f"{secure_web.address}/k", HEADER)
        trusting = {"SSL_CERT_FILE": str(tmp_path / "public.pem")}
        outcome = run_command(*words, https_proxy=proxy.address, **trusting)
        assert outcome.output.encode() == content_of(packed), outcome
        assert proxy.has_been_asked_for(f"CONNECT {host} HTTP/1.1")
