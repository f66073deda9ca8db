"""Servers on the loopback that archives are fetched from: real ones, and one that misbehaves."""

from __future__ import annotations

import shutil
import socket
import socketserver
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.mounting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NGINX = """
daemon off;
master_process off;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 64; }}
http {{
    log_format fetched '$status $uri $http_range';
    access_log {place}/fetched fetched;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{ listen 127.0.0.1:{port}{tls}; root {place}/files; {settings} }}
}}
"""


class Nginx(NamedTuple):
    """A running nginx. ``files`` is what it serves at ``address``."""

    address: str
    files: Path
    log: Path

    def fetched(self) -> list[str]:
        """Return status, path and range of each request so far, and forget them."""
        lines = self.log.read_text().splitlines()
        with self.log.open("w"):
            pass
        return lines


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections at *port*."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


@contextmanager
def running(command: list[str], port: int, place: Path, **environment: str) -> Iterator[None]:
    """Run the server *command* until the end of the block. Skips where it is not installed."""
    program = shutil.which(
        command[0], path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin"
    )
    if program is None:
        pytest.skip(f"not installed: {command[0]}")
    with (place / "output").open("wb") as output:
        server = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment or None,
        )
        try:
            wait_until(lambda: listens(port), f"{command[0]} listens")
            yield
        finally:
            server.kill()
            server.wait()


@contextmanager
def nginx(place: Path, settings: str = "", tls: str = "") -> Iterator[Nginx]:
    """Run nginx for what is in the directory ``files`` of *place*. *settings* are the server's."""
    files = place / "files"
    files.mkdir(exist_ok=True)
    port = free_port()
    configuration = place / "nginx.conf"
    configuration.write_text(
        _NGINX.format(place=place, port=port, settings=settings, tls=" ssl" if tls else "")
    )
    command = ["nginx", "-c", str(configuration), "-e", str(place / "error.log")]
    with running(command, port, place):
        scheme = "https" if tls else "http"
        yield Nginx(f"{scheme}://localhost:{port}", files, place / "fetched")


@contextmanager
def liar(answer: Callable[[str, socket.socket], None]) -> Iterator[str]:
    """Run a server that has *answer* send what it likes to each request, whose head it is given.

    Yields its address.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while head := _head(self.request):
                    answer(head, self.request)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _head(connection: socket.socket) -> str:
    """Return a request's head, empty when there is no more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return ""
        head += byte
    return head.decode("latin-1").lower()


def range_of(head: str, size: int) -> tuple[int, int] | None:
    """Return the first byte of the range that *head* asks for and the one behind it."""
    for line in head.splitlines():
        if line.startswith("range: bytes="):
            first, _, last = line.removeprefix("range: bytes=").partition("-")
            if not first:
                return max(0, size - int(last)), size
            return int(first), min(int(last) + 1, size)
    return None


def partial(content: bytes, start: int, end: int, *headers: str) -> bytes:
    """Return an honest answer of status 206 with *content* from *start* to *end*."""
    body = content[start:end]
    lines = [
        "HTTP/1.1 206 Partial Content",
        f"Content-Length: {len(body)}",
        f"Content-Range: bytes {start}-{end - 1}/{len(content)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def serve_honestly(content: bytes, head: str, connection: socket.socket) -> None:
    """Answer with the range that is asked for, or with everything."""
    asked = range_of(head, len(content))
    if asked is None:
        connection.sendall(whole(content))
    else:
        connection.sendall(partial(content, *asked, 'ETag: "one"'))


def whole(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
