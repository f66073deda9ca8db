"""Between the kernel and pyfuse3, once the kernel opens files without asking.

Whoever answers the first request to open with ENOSYS is never asked again to open, flush or
release a file, and READ then has no file handle, which is all that pyfuse3 tells of a file. The
node number in the header of each request says which it is. So from then on requests come by way of
here: READ is answered, what wants no answer ends here, and all others go on over a socket to
pyfuse3, whose answers come back the same way. Until then it has the device to itself. The same
holds for directories, whose READDIRPLUS goes on with a handle that is made here.

Source: include/uapi/linux/fuse.h, ``struct fuse_in_header``, ``fuse_read_in``, ``fuse_out_header``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pyfuse3

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kheadersfs.fuse.workers import Task

# length, opcode, unique, node, uid, gid, pid, lengths that are not used
_REQUEST = struct.Struct("=IIQQIIIHH")
_REQUEST_TO_READ = struct.Struct("=QQI")
"""Handle, offset and size, behind the header, of what reads a file or a directory."""
_ANSWER = struct.Struct("=IiQ")
"""Length, an errno below zero or 0, and the unique number of the request."""

_FORGET, _READ, _INTERRUPT, _BATCH_FORGET, _READDIRPLUS = 2, 15, 36, 42, 44
_UNANSWERED = (_FORGET, _INTERRUPT, _BATCH_FORGET)
_LARGEST_REQUEST = (1 << 20) + 4096
"""Bytes for which the kernel wants room: libfuse allows it to write so much."""
LARGEST_LISTING = 64 << 10
"""Bytes of a listing that are asked for at once, so that every answer fits a message: a socket of
an ordinary user takes some 200,000."""


class Relay:
    """Passes requests on from *device*, which pyfuse3 has opened, once ``begin`` has been called.

    *read* is the handler of READ, with the node number for the handle. *directory* returns the
    handle of a directory for its node number and the pid of who reads it. *start* runs a task
    until it waits for something, and keeps it.
    """

    def __init__(
        self,
        device: int,
        read: Callable[[int, int, int], Awaitable[bytes | memoryview]],
        directory: Callable[[int, int], int],
        start: Callable[[Task], None],
    ) -> None:
        self._read = read
        self._directory = directory
        self._start = start
        self._of_pyfuse3 = device
        self.device = os.dup(device)
        """The device, under a number of its own, which stays the device."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._ours, self._theirs = ours.detach(), theirs.detach()
        # Pages that nothing has been read into take no memory.
        self._buffer = bytearray(_LARGEST_REQUEST)
        self._view = memoryview(self._buffer)
        self.is_active = False

    def begin(self) -> None:
        """From now on, be between. What pyfuse3 has not answered yet it answers over the socket."""
        if self.is_active:
            return
        # A request that was withdrawn after it had been announced must not be waited for.
        fcntl.fcntl(self.device, fcntl.F_SETFL, os.O_NONBLOCK)
        os.dup2(self._theirs, self._of_pyfuse3, inheritable=False)
        self.is_active = True

    def _end(self) -> None:
        """Let pyfuse3 see for itself what the device says."""
        os.dup2(self.device, self._of_pyfuse3, inheritable=False)
        self.is_active = False

    def pass_request(self) -> bool:
        """Take a request that is there, and tell whether pyfuse3 has it, or may fetch it itself."""
        if not self.is_active:
            return True
        try:
            length = os.readv(self.device, (self._buffer,))
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.EINTR, errno.ENOENT):
                return False
            self._end()
            return True
        _, opcode, unique, node, _, _, process, _, _ = _REQUEST.unpack_from(self._buffer)
        if opcode == _READ:
            _, offset, size = _REQUEST_TO_READ.unpack_from(self._buffer, _REQUEST.size)
            self._start(self._answer(unique, node, offset, size))
            return False
        if opcode in _UNANSWERED:
            return False
        if opcode == _READDIRPLUS:
            _, offset, size = _REQUEST_TO_READ.unpack_from(self._buffer, _REQUEST.size)
            handle, size = self._directory(node, process), min(size, LARGEST_LISTING)
            _REQUEST_TO_READ.pack_into(self._buffer, _REQUEST.size, handle, offset, size)
        try:
            os.write(self._ours, self._view[:length])
        except OSError:
            self._reply(unique, -errno.EIO)  # it is larger than a message, as one to write may be
            return False
        return True

    def pass_answers(self) -> None:
        """Give the kernel what pyfuse3 has answered."""
        if not self.is_active:
            return
        with suppress(BlockingIOError):
            while length := os.readv(self._ours, (self._buffer,)):
                with suppress(OSError):  # who has asked was killed, or the file system is gone
                    os.write(self.device, self._view[:length])

    async def _answer(self, unique: int, node: int, offset: int, size: int) -> None:
        try:
            content = await self._read(node, offset, size)
        except pyfuse3.FUSEError as error:
            self._reply(unique, -error.errno)
        else:
            self._reply(unique, 0, content)

    def _reply(self, unique: int, error: int, content: bytes | memoryview = b"") -> None:
        header = _ANSWER.pack(_ANSWER.size + len(content), error, unique)
        with suppress(OSError):  # see pass_answers()
            os.writev(self.device, (header, content))
