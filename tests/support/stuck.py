"""A server of one file that answers no READ, but stores the file's pages when it is asked for one.

The thread that stores them waits for a page that belongs to the READ, and the kernel cannot end it
while it waits. That is how a server of kheadersfs hangs if it is killed at a certain moment.

It prints a line once it has mounted, and one when a READ has come.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import struct
import sys
from functools import partial

from kheadersfs.fuse.advance import _store_all
from kheadersfs.fuse.hot import HotFile
from kheadersfs.fuse.loop import Loop
from kheadersfs.mount import direct
from kheadersfs.mount.guardian import Guardian
from kheadersfs.mount.passing import receive_descriptor
from kheadersfs.mount.request import MountRequest
from kheadersfs.mount.table import escape, find_device

NAME = "file"
CONTENT = b"x" * 4096

# Source: include/uapi/linux/fuse.h.
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _INIT = 1, 2, 3, 14, 15, 26
_INTERRUPT, _BATCH_FORGET = 36, 42
_REQUEST = struct.Struct("=IIQQIIII")
_ANSWER = struct.Struct("=IiQ")
_ATTRIBUTES = struct.Struct("=6Q10I")
_ROOT, _FILE = 1, 2
_FOREVER = 1 << 30


def _attributes(node: int) -> bytes:
    """Return ``struct fuse_attr``."""
    mode, size = (
        (stat.S_IFDIR | 0o755, 0) if node == _ROOT else (stat.S_IFREG | 0o444, len(CONTENT))
    )
    times = (0,) * 6
    return _ATTRIBUTES.pack(node, size, 8, *times, mode, 1, os.geteuid(), os.getegid(), 0, 4096, 0)


def _answer(opcode: int, node: int) -> bytes | None:
    """Return the answer to a request without its header, None if it is not known."""
    if opcode == _INIT:
        return struct.pack("=IIIIHHIIHH8I", 7, 31, 0, 0, 12, 9, 4096, 1, 0, 0, *(0,) * 8)
    if opcode == _GETATTR:
        return struct.pack("=QII", _FOREVER, 0, 0) + _attributes(node)
    if opcode == _LOOKUP:
        return struct.pack("=4Q2I", _FILE, 0, _FOREVER, _FOREVER, 0, 0) + _attributes(_FILE)
    if opcode == _OPEN:
        return struct.pack("=QII", 0, 0, 0)
    return None


def _tell(line: str) -> None:
    os.write(sys.stdout.fileno(), line.encode() + b"\n")


def _serve(device: int) -> None:
    """Answer requests until a READ comes. Store pages then, and wait to be killed."""
    loop = Loop(1, lambda: None)
    loop.watch(device)
    while True:
        request = os.read(device, 1 << 20)
        _, opcode, unique, node, *_ = _REQUEST.unpack_from(request)
        if opcode == _READ:
            file = HotFile(0, len(CONTENT), _FILE)
            loop.run_apart(partial(_store_all, device, memoryview(CONTENT), [file]))
            _tell("asked to read")
            signal.pause()
        if opcode in (_FORGET, _BATCH_FORGET, _INTERRUPT):
            continue
        answer = _answer(opcode, node)
        error, answer = (-errno.ENOSYS, b"") if answer is None else (0, answer)
        os.write(device, _ANSWER.pack(_ANSWER.size + len(answer), error, unique) + answer)


def main(where: str) -> None:
    """Serve at the mountpoint *where*, or what is received from the socket of that number."""
    if where.isdecimal():
        connection = socket.socket(fileno=int(where))
        device = receive_descriptor(connection)
        assert device is not None
    else:
        device = direct.mount(MountRequest("archive", where, allow_other=True))
        guardian = Guardian(where, escape(where), find_device(where), 0)
        _tell(str(guardian.pid))
    _serve(device)


if __name__ == "__main__":
    main(sys.argv[1])
