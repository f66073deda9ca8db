"""Servers that are slow, gone, or lie: an error within the time stated, never other bytes."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from kheadersfs.reader import open_archive
from kheadersfs.remote.settings import LARGEST_WHOLE
from tests.support.mounting import Mount, one_line, run_command
from tests.support.processes import processes_named
from tests.support.servers import Nginx, free_port, liar, partial, range_of, serve_honestly, whole

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    Lie = Callable[[bytes, str, socket.socket], None]

HEADER = "include/linux/mm.h"


def is_of_a_block(head: str, size: int) -> bool:
    """Tell whether the range in *head* is neither the beginning nor the end of the file."""
    start, end = range_of(head, size) or (0, size)
    return start > 0 and end < size


def silent(_content: bytes, _head: str, connection: socket.socket) -> None:
    connection.recv(1)


def closed(_content: bytes, _head: str, connection: socket.socket) -> None:
    connection.close()


def cut_off(content: bytes, head: str, connection: socket.socket) -> None:
    start, end = range_of(head, len(content)) or (0, len(content))
    said = partial(content, start, end)
    connection.sendall(said[: len(said) - (end - start) + 10])
    connection.close()


def altered(content: bytes, head: str, connection: socket.socket) -> None:
    serve_honestly(bytes(byte ^ 1 for byte in content), head, connection)


def shifted(content: bytes, head: str, connection: socket.socket) -> None:
    start, end = range_of(head, len(content)) or (0, len(content))
    connection.sendall(partial(content, start - 1, end - 1, 'ETag: "one"'))


def shorter(content: bytes, head: str, connection: socket.socket) -> None:
    start, end = range_of(head, len(content)) or (0, len(content))
    connection.sendall(partial(content, start, end - 1, 'ETag: "one"'))


def of_another_version(content: bytes, head: str, connection: socket.socket) -> None:
    start, end = range_of(head, len(content)) or (0, len(content))
    connection.sendall(partial(content, start, end, 'ETag: "two"'))


def of_another_size(content: bytes, head: str, connection: socket.socket) -> None:
    start, end = range_of(head, len(content)) or (0, len(content))
    connection.sendall(partial(content + b"more", start, end, 'ETag: "one"'))


def without_range(content: bytes, head: str, connection: socket.socket) -> None:
    start, end = range_of(head, len(content)) or (0, len(content))
    body = content[start:end]
    connection.sendall(b"HTTP/1.1 206 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def endless(_content: bytes, _head: str, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-1/2\r\n\r\n")
    while True:
        connection.sendall(bytes(1 << 16))


def to_a_file(_content: bytes, _head: str, connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
    )


def to_itself(_content: bytes, _head: str, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /k\r\nContent-Length: 0\r\n\r\n")


def busy(_content: bytes, _head: str, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")


LIES: dict[Lie, str] = {
    silent: "has not answered in",
    closed: "is cut off",
    cut_off: "is cut off",
    altered: "sends other bytes",
    shifted: "is of another range",
    shorter: "is of another range",
    of_another_version: "was changed on its server",
    of_another_size: "was changed on its server",
    without_range: "does not say of which range it is",
    endless: "sends more than",
    to_a_file: "is redirected to file://",
    to_itself: "without an end",
    busy: "cannot answer now",
}


def patience(lie: Lie) -> str:
    """Return how many seconds to wait for a server: for what comes late on a busy machine, long."""
    return "3" if lie is silent else "60"


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_a_block_is_an_error_and_a_line_in_the_log(
    lie: Lie,
    packed: Path,
    mount_address: Callable[..., Mount],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KHEADERSFS_TIMEOUT", patience(lie))
    content = packed.read_bytes()

    def answer(head: str, connection: socket.socket) -> None:
        tell = lie if is_of_a_block(head, len(content)) else serve_honestly
        tell(content, head, connection)

    with liar(answer) as address:
        mounted = mount_address(f"{address}/k")
        with pytest.raises(OSError, match="Input/output error"):
            (mounted / HEADER).read_bytes()
        assert any(LIES[lie] in line for line in mounted.messages()), mounted.messages()


@pytest.mark.parametrize("lie", [silent, closed, cut_off, to_a_file, to_itself, busy, endless])
def test_a_lie_at_once_is_one_line_and_nothing_is_mounted(
    lie: Lie, packed: Path, tmp_path: Path, fuse: None
) -> None:
    content = packed.read_bytes()
    with liar(lambda head, connection: lie(content, head, connection)) as address:
        outcome = run_command("mount", f"{address}/k", tmp_path, KHEADERSFS_TIMEOUT=patience(lie))
    assert outcome.status in (11, 14)
    assert LIES[lie] in one_line(outcome)


@pytest.mark.parametrize("age", [b"\xb2", b"9" * 5000, b"soon"])
def test_an_answer_of_no_age_is_used_and_not_for_fresh(age: bytes, packed: Path) -> None:
    content = packed.read_bytes()
    heads: list[str] = []

    def answer(head: str, connection: socket.socket) -> None:
        heads.append(head)
        start, end = range_of(head, len(content)) or (0, len(content))
        said = partial(content, start, end, "Cache-Control: max-age=999", "Age: ?")
        connection.sendall(said.replace(b"?", age, 1))

    with liar(answer) as address:
        assert run_command("cat", f"{address}/k", HEADER).status == 0
        heads.clear()
        assert run_command("cat", f"{address}/k", HEADER).status == 0
    assert heads


def test_a_server_without_ranges_sends_all_and_is_not_asked_again(packed: Path) -> None:
    content = packed.read_bytes()
    heads: list[str] = []

    def answer(head: str, connection: socket.socket) -> None:
        heads.append(head)
        connection.sendall(whole(content))

    with liar(answer) as address:
        with open_archive(packed) as opened:
            expected = opened.read(HEADER)
        assert run_command("cat", f"{address}/k", HEADER).output.encode() == expected
    assert len(heads) <= 2  # beginning and end are asked for at the same time


def test_a_server_without_ranges_is_listened_to_up_to_a_size() -> None:
    def answer(_head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(1 << 20))

    with liar(answer) as address:
        outcome = run_command("ls", f"{address}/k")
    assert (outcome.status, f"more than the {LARGEST_WHOLE} bytes" in one_line(outcome)) == (
        14,
        True,
    )


def test_after_a_failure_the_next_read_tries_again(
    packed: Path, mount_address: Callable[..., Mount]
) -> None:
    content = packed.read_bytes()
    is_down = [True]

    def answer(head: str, connection: socket.socket) -> None:
        is_of_block = is_of_a_block(head, len(content))
        tell = busy if is_down[0] and is_of_block else serve_honestly
        tell(content, head, connection)

    with liar(answer) as address:
        mounted = mount_address(f"{address}/k")
        with pytest.raises(OSError, match="Input/output error"):
            (mounted / HEADER).read_bytes()
        is_down[0] = False
        with open_archive(packed) as opened:
            assert (mounted / HEADER).read_bytes() == opened.read(HEADER)


def test_who_is_not_there_is_named(tmp_path: Path) -> None:
    outcome = run_command("ls", f"http://127.0.0.1:{free_port()}/k.tar.xz")
    assert (outcome.status, "cannot be reached" in one_line(outcome)) == (11, True)


def test_a_file_that_is_not_there_is_named_also_when_it_was(web: Nginx, packed: Path) -> None:
    address = f"{web.address}/{packed.name}"
    assert run_command("cat", address, HEADER).status == 0
    (web.files / packed.name).unlink()
    outcome = run_command("cat", address, HEADER)
    assert outcome.status == 11
    assert "there is no such file on the server" in one_line(outcome)


def test_what_is_no_archive_is_said_of_the_address(web: Nginx, tmp_path: Path) -> None:
    (web.files / "page.html").write_text("<html>" * 1000)
    (web.files / "empty").write_bytes(b"")
    page = run_command("mount", f"{web.address}/page.html", tmp_path)
    assert (page.status, "is neither tar nor cpio" in one_line(page)) == (12, True)
    assert run_command("ls", f"{web.address}/empty").status in (11, 12)


def test_the_process_that_fetches_ends_with_the_mount_and_its_end_is_an_error(
    web: Nginx, packed: Path, tmp_path: Path, mount_address: Callable[..., Mount]
) -> None:
    shutil.copyfile(packed, web.files / "k")
    mounted = mount_address(f"{web.address}/k")
    mine = processes_named(f"{web.address}/k".encode())
    server = mounted.status()["pid"]
    [helper] = [pid for pid in mine if pid != server]
    os.kill(helper, 9)
    with pytest.raises(OSError, match="Input/output error"):
        (mounted / HEADER).read_bytes()
    assert "the process that fetches it has ended" in mounted.messages()[-1]
