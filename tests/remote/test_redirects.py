"""Servers that say that the file is elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.mounting import one_line, run_command
from tests.support.servers import liar, serve_honestly

if TYPE_CHECKING:
    import socket
    from pathlib import Path

HEADER = "include/linux/mm.h"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (b"http://[::1/k", "is redirected to nowhere://"),
        (b"http://127.0.0.1:99999/k", "is redirected to nowhere://"),
        (b"http://\xe9/k", "cannot be reached"),
    ],
)
def test_to_be_sent_to_no_address_is_an_error_of_the_server(location: bytes, said: str) -> None:
    def answer(_head: str, connection: socket.socket) -> None:
        head = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head % location)

    with liar(answer) as address:
        outcome = run_command("ls", f"{address}/k")
    assert (outcome.status in (11, 14), said in one_line(outcome)) == (True, True)


def test_an_address_that_a_server_has_not_encoded_is_followed(packed: Path) -> None:
    content = packed.read_bytes()

    def answer(head: str, connection: socket.socket) -> None:
        if head.startswith("get /k "):
            head_of_answer = "HTTP/1.1 302 Found\r\nLocation: /ä b%2f\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(head_of_answer.encode())
        elif head.startswith("get /%c3%a4%20b%2f "):
            serve_honestly(content, head, connection)

    with liar(answer) as address:
        assert run_command("cat", f"{address}/k", HEADER).status == 0


def test_a_password_goes_to_its_host_and_nowhere_else(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = packed.read_bytes()
    heads: dict[str, list[str]] = {"first": [], "second": []}

    def second(head: str, connection: socket.socket) -> None:
        heads["second"].append(head)
        serve_honestly(content, head, connection)

    with liar(second) as elsewhere:

        def first(head: str, connection: socket.socket) -> None:
            heads["first"].append(head)
            lines = ("HTTP/1.1 302 Found", f"Location: {elsewhere}/k", "Content-Length: 0", "", "")
            connection.sendall("\r\n".join(lines).encode())

        with liar(first) as address:
            netrc = tmp_path / "netrc"
            netrc.write_text("machine 127.0.0.1 login me password secret\n")
            netrc.chmod(0o600)
            monkeypatch.setenv("NETRC", str(netrc))
            assert run_command("cat", f"{address}/k", HEADER).status == 0
    assert all("authorization: basic bwu6c2vjcmv0" in head for head in heads["first"])
    assert heads["first"] and heads["second"]
    assert not any("authorization" in head for head in heads["second"])
