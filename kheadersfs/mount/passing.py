"""Pass a file descriptor from one process to another over a Unix socket (SCM_RIGHTS, unix(7))."""

from __future__ import annotations

import _socket  # the module socket around it takes 10 ms to import
import sys
from _socket import socket

_DESCRIPTOR_SIZE = 4
"""Size in bytes of a C int."""


def connected_pair() -> tuple[socket, socket]:
    """Return the two ends of a new connection. They are closed by exec(2)."""
    return _socket.socketpair()


def send_descriptor(connection: socket, descriptor: int) -> None:
    """Send *descriptor* to the process that has the other end. Raises OSError."""
    data = descriptor.to_bytes(_DESCRIPTOR_SIZE, sys.byteorder)
    connection.sendmsg([b"+"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, data)])


def receive_descriptor(connection: socket) -> int | None:
    """Wait for a descriptor and return it, or None if the other end is closed without sending one.

    The descriptor is closed by exec(2). Raises OSError.
    """
    room = _socket.CMSG_SPACE(_DESCRIPTOR_SIZE)
    _, messages, _, _ = connection.recvmsg(1, room, _socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in messages:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            return int.from_bytes(data[:_DESCRIPTOR_SIZE], sys.byteorder)
    return None
