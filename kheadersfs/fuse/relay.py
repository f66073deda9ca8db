"""Pass requests from the kernel to pyfuse3 once the kernel opens files without asking.

The kernel sends no further OPEN or RELEASE to a server that has answered OPEN with ENOSYS, and its
READ then has no file handle. pyfuse3 tells the handler of READ nothing but the handle, so that
handler could not know which file is meant. The node number in the header of the request says it.

From then on the relay reads all requests from the device. It answers READ itself, and drops the
requests that have no answer. It passes the others to pyfuse3 over a socket, and copies pyfuse3's
answers from the socket to the device. READDIRPLUS has no handle either once OPENDIR has been
answered with ENOSYS; the relay puts one into the request. Until ``begin`` is called, pyfuse3 uses
the device itself.

Source: include/uapi/linux/fuse.h, ``struct fuse_in_header``, ``fuse_read_in``, ``fuse_out_header``.
"""

from __future__ import annotations

import _socket  # the module socket around it takes 10 ms
import errno
import fcntl
import os
import struct

import pyfuse3

from kheadersfs.bare import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kheadersfs.fuse.workers import Task

_REQUEST = struct.Struct("=IIQQIIIHH")
"""Header of a request: length, opcode, unique number, node, uid, gid, pid, two unused fields."""
_REQUEST_TO_READ = struct.Struct("=QQI")
"""What follows the header of READ and READDIRPLUS: handle, offset, size."""
_ANSWER = struct.Struct("=IiQ")
"""Header of an answer: length, 0 or a negative errno, unique number of the request."""

_FORGET, _READ, _INTERRUPT, _BATCH_FORGET, _READDIRPLUS = 2, 15, 36, 42, 44
_UNANSWERED = (_FORGET, _INTERRUPT, _BATCH_FORGET)
_LARGEST_REQUEST = (1 << 20) + 4096
"""Bytes that the buffer for a request must have. libfuse allows WRITE requests of 1 MiB, and the
kernel refuses to fill a buffer that could not hold one."""
LARGEST_LISTING = 64 << 10
"""Largest size in bytes that READDIRPLUS asks pyfuse3 for. Its answer has to fit one message of
the socket, which for an ordinary user is some 200,000 bytes."""


class Relay:
    """Reads requests for pyfuse3 once ``begin`` has been called, and answers READ itself.

    *device* is the descriptor of /dev/fuse that pyfuse3 uses. *read* handles READ; it takes the
    node number, the offset and the size in bytes. *directory* takes the node number of a directory
    and the pid of the process that lists it, and returns a handle for them. *start* runs a task
    until it waits for something, and resumes it later.

    All methods are called in the loop's thread.
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
        """A descriptor of the device that ``begin`` does not replace."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._ours, self._theirs = ours.detach(), theirs.detach()
        # Only those pages of the buffer take memory that a request has been read into.
        self._buffer = bytearray(_LARGEST_REQUEST)
        self._view = memoryview(self._buffer)
        self.is_active = False
        """Whether the relay reads the requests, and not pyfuse3."""

    def begin(self) -> None:
        """Put the socket under pyfuse3's descriptor, and read the requests from now on.

        pyfuse3 answers over the socket what it has already read from the device.
        """
        if self.is_active:
            return
        # The kernel withdraws a request when its sender is killed, perhaps between poll(2) and the
        # read. A read that blocks would then wait for another request.
        fcntl.fcntl(self.device, fcntl.F_SETFL, os.O_NONBLOCK)
        os.dup2(self._theirs, self._of_pyfuse3, inheritable=False)
        self.is_active = True

    def _end(self) -> None:
        """Give the device back to pyfuse3, which then gets the device's error itself."""
        os.dup2(self.device, self._of_pyfuse3, inheritable=False)
        self.is_active = False

    def pass_request(self) -> bool:
        """Read one request from the device, and answer it, drop it or pass it to pyfuse3.

        Returns whether pyfuse3 has something to read: True when the request was passed on, and when
        pyfuse3 reads the device itself.
        """
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
            self._reply(unique, -errno.EIO)  # WRITE may be larger than a message can be
            return False
        return True

    def pass_answers(self) -> None:
        """Copy to the device all answers that pyfuse3 has written to the socket."""
        if not self.is_active:
            return
        with suppress(BlockingIOError):
            while length := os.readv(self._ours, (self._buffer,)):
                with suppress(OSError):  # the sender was killed, or the file system is gone
                    os.write(self.device, self._view[:length])

    async def _answer(self, unique: int, node: int, offset: int, size: int) -> None:
        """Answer the READ request *unique*: *size* bytes from *offset* of the file *node*."""
        try:
            content = await self._read(node, offset, size)
        except pyfuse3.FUSEError as error:
            self._reply(unique, -error.errno)
        else:
            self._reply(unique, 0, content)

    def _reply(self, unique: int, error: int, content: bytes | memoryview = b"") -> None:
        """Answer the request *unique*. *error* is 0 or a negative errno."""
        header = _ANSWER.pack(_ANSWER.size + len(content), error, unique)
        with suppress(OSError):  # as in pass_answers()
            os.writev(self.device, (header, content))
