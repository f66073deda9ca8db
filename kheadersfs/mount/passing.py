"""An open file, passed from one process to another over a socket."""

from __future__ import annotations

import _socket  # the module socket says it in better words, and takes 10 ms to import
import sys
from _socket import socket

_DESCRIPTOR_SIZE = 4
"""Bytes of an int of C."""


def connected_pair() -> tuple[socket, socket]:
    """Return the two ends of a new connection. No program that is executed inherits them."""
    return _socket.socketpair()


def send_descriptor(connection: socket, descriptor: int) -> None:
    """Send *descriptor* to whoever has the other end. Raises OSError."""
    data = descriptor.to_bytes(_DESCRIPTOR_SIZE, sys.byteorder)
    connection.sendmsg([b"+"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, data)])


def receive_descriptor(connection: socket) -> int | None:
    """Return the descriptor that is sent, None if the other end was closed without one.

    No program that is executed inherits it. Raises OSError.
    """
    room = _socket.CMSG_SPACE(_DESCRIPTOR_SIZE)
    _, messages, _, _ = connection.recvmsg(1, room, _socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in messages:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            return int.from_bytes(data[:_DESCRIPTOR_SIZE], sys.byteorder)
    return None
