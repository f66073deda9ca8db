"""What is between the kernel and pyfuse3, without FUSE: sockets in place of /dev/fuse."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pyfuse3
import pytest

from kheadersfs.fuse.relay import LARGEST_LISTING, Relay

if TYPE_CHECKING:
    from kheadersfs.fuse.workers import Task

FORGET, LOOKUP, OPEN, READ, INTERRUPT, BATCH_FORGET, READDIRPLUS = 2, 1, 14, 15, 36, 42, 44
CONTENT = bytes(range(256)) * 4096


def request(opcode: int, unique: int, node: int, body: bytes = b"") -> bytes:
    """Return a request as the kernel writes it."""
    return struct.pack("=IIQQIIIHH", 40 + len(body), opcode, unique, node, 0, 0, 1, 0, 0) + body


def reading(offset: int, size: int, handle: int = 0) -> bytes:
    """Return what READ and READDIRPLUS have behind the header."""
    return struct.pack("=QQIIQII", handle, offset, size, 0, 0, 0, 0)


def answer(unique: int, content: bytes = b"", error: int = 0) -> bytes:
    return struct.pack("=IiQ", 16 + len(content), error, unique) + content


def run_to_its_end(task: Task) -> None:
    with suppress(StopIteration):
        task.send(None)
        raise AssertionError("it waits for something")


async def read(node: int, offset: int, size: int) -> bytes:
    if node == 13:
        raise pyfuse3.FUSEError(errno.EIO)
    return CONTENT[node + offset :][:size]


class Ends:
    """The kernel's end of the device, the one that pyfuse3 has, and the relay between them."""

    def __init__(self) -> None:
        self.kernel, device = socket.socketpair(type=socket.SOCK_SEQPACKET)
        for end in (self.kernel, device):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.kernel.setblocking(False)
        self.pyfuse3 = device.detach()
        self.relay = Relay(self.pyfuse3, read, lambda node, pid: node + pid, run_to_its_end)

    def close(self) -> None:
        self.kernel.close()
        for descriptor in (self.pyfuse3, self.relay.device, self.relay._ours, self.relay._theirs):
            os.close(descriptor)

    def answers(self) -> list[bytes]:
        """Return all that the kernel has been answered since the last time."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.kernel.recv(1 << 21))
        return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    with open_ends() as both:
        yield both


@contextmanager
def open_ends() -> Iterator[Ends]:
    ends = Ends()
    try:
        yield ends
    finally:
        ends.close()


def test_before_it_begins_pyfuse3_has_the_device_itself(ends: Ends) -> None:
    asked = request(LOOKUP, 1, 1, b"include\0")
    ends.kernel.send(asked)
    assert ends.relay.pass_request()
    assert os.read(ends.pyfuse3, 1000) == asked
    os.write(ends.pyfuse3, b"answer")
    ends.relay.pass_answers()
    assert ends.answers() == [b"answer"]


def test_requests_and_answers_are_passed_on_as_they_are(ends: Ends) -> None:
    ends.relay.begin()
    ends.relay.begin()
    for unique, opcode in enumerate((LOOKUP, OPEN), 1):
        asked = request(opcode, unique, 7, b"name\0")
        ends.kernel.send(asked)
        assert ends.relay.pass_request()
        assert os.read(ends.pyfuse3, 1000) == asked
        os.write(ends.pyfuse3, answer(unique, b"content"))
    ends.relay.pass_answers()
    assert ends.answers() == [answer(1, b"content"), answer(2, b"content")]


def test_a_request_from_before_is_answered_over_the_socket(ends: Ends) -> None:
    ends.kernel.send(request(OPEN, 5, 7))
    os.read(ends.pyfuse3, 1000)
    ends.relay.begin()
    os.write(ends.pyfuse3, answer(5, error=-errno.ENOSYS))
    ends.relay.pass_answers()
    assert ends.answers() == [answer(5, error=-errno.ENOSYS)]


@pytest.mark.parametrize("size", [1, 4096, 128 << 10, 1 << 20])
def test_reading_is_answered_by_node_number_however_much_it_is(ends: Ends, size: int) -> None:
    ends.relay.begin()
    ends.kernel.send(request(READ, 3, 2, reading(1, size)))
    assert not ends.relay.pass_request()
    assert ends.answers() == [answer(3, CONTENT[3:][:size])]


def test_what_cannot_be_read_is_an_error(ends: Ends) -> None:
    ends.relay.begin()
    ends.kernel.send(request(READ, 3, 13, reading(0, 10)))
    assert not ends.relay.pass_request()
    assert ends.answers() == [answer(3, error=-errno.EIO)]


@pytest.mark.parametrize("opcode", [FORGET, INTERRUPT, BATCH_FORGET])
def test_what_wants_no_answer_ends_here(ends: Ends, opcode: int) -> None:
    ends.relay.begin()
    ends.kernel.send(request(opcode, 1, 1, bytes(16)))
    assert not ends.relay.pass_request()
    assert ends.answers() == []


def test_no_more_is_listed_at_once_than_fits_a_message(ends: Ends) -> None:
    ends.relay.begin()
    for size in (4096, 1 << 20):
        ends.kernel.send(request(READDIRPLUS, 1, 1, reading(9, size, 2)))
        assert ends.relay.pass_request()
        passed = os.read(ends.pyfuse3, 1000)
        assert passed == request(READDIRPLUS, 1, 1, reading(9, min(size, LARGEST_LISTING), 2))
    os.write(ends.pyfuse3, answer(1, bytes(LARGEST_LISTING)))


def test_a_directory_is_read_with_a_handle_of_its_node_and_its_reader(ends: Ends) -> None:
    ends.relay.begin()
    ends.kernel.send(request(READDIRPLUS, 1, 7, reading(9, 4096)))  # by process 1
    assert ends.relay.pass_request()
    assert os.read(ends.pyfuse3, 1000) == request(READDIRPLUS, 1, 7, reading(9, 4096, 8))


def test_a_request_that_was_withdrawn_is_not_waited_for(ends: Ends) -> None:
    ends.relay.begin()
    assert not ends.relay.pass_request()


def test_a_request_larger_than_a_message_is_an_error(ends: Ends) -> None:
    ends.relay.begin()
    ends.kernel.send(request(LOOKUP, 4, 1, bytes(1 << 20)))
    assert not ends.relay.pass_request()
    assert ends.answers() == [answer(4, error=-errno.EIO)]


def test_pyfuse3_sees_the_end_of_the_device_for_itself(ends: Ends) -> None:
    ends.relay.begin()
    # One that cannot be read, in place of a device whose file system is gone.
    unreadable = os.open(os.devnull, os.O_WRONLY)
    os.dup2(unreadable, ends.relay.device)
    os.close(unreadable)
    assert ends.relay.pass_request()
    assert not ends.relay.is_active
    assert os.readlink(f"/proc/self/fd/{ends.pyfuse3}") == os.devnull
