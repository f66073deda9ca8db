"""How many requests the kernel sends to FUSE servers, counted by the kernel itself.

Since Linux 6.11 it has a tracepoint for each request, ``fuse:fuse_request_send``. It is read
through perf_event_open(2), so nothing of it outlasts this process. All requests are counted but
FORGET, which nobody waits for.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmark.errors import Unavailable
from benchmark.isolation import mount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EVENT = "events/fuse/fuse_request_send"
_SYSTEM_CALLS = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "s390x": 331, "ppc64le": 319}
"""The number of perf_event_open(2) on each machine."""
# include/uapi/linux/perf_event.h: struct perf_event_attr as in its first version.
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQ")
_TYPE_TRACEPOINT, _SAMPLE_RAW = 2, 1 << 10
_RECORD_LOST, _RECORD_SAMPLE = 2, 9
# The same file's struct perf_event_mmap_page: where the data begins, how much was written.
_HEAD, _TAIL = 1024, 1032
_POSITION = struct.Struct("=Q")
_HEADER = struct.Struct("=IHH")
_RAW_HEADER = 4  # the size of what follows
_NUMBER = struct.Struct("=I")
_RING = 4 << 20  # bytes for each processor, some 60,000 requests
_INIT = 26  # include/uapi/linux/fuse.h: FUSE_INIT
_PATIENCE = 2.0  # seconds for a server to answer what nobody waits for


class Request(NamedTuple):
    """One request: to which ``connection``, the device number of the mount, and what it asks."""

    connection: int
    opcode: int


class RequestCounter:
    """Counts requests of the whole machine from its making on.

    The directory *scratch* takes two mounts, of the namespace of this process. Raises Unavailable
    where the kernel does not tell, or not this user.
    """

    def __init__(self, scratch: str) -> None:
        self._control = os.path.join(scratch, "fuse")
        tracing = os.path.join(scratch, "tracing")
        for directory, kind in ((self._control, "fusectl"), (tracing, "tracefs")):
            os.makedirs(directory, exist_ok=True)
            if not os.path.ismount(directory):  # as it is for the second counter of a run
                mount("none", directory, kind, 0)
        self._connection, self._opcode, number = _describe_event(os.path.join(tracing, _EVENT))
        self._rings = [_Ring(cpu, number) for cpu in sorted(os.sched_getaffinity(0))]

    def take(self) -> list[Request]:
        """Return the requests since the last call. Raises Unavailable when some were lost."""
        return [
            Request(
                _NUMBER.unpack_from(raw, self._connection)[0],
                _NUMBER.unpack_from(raw, self._opcode)[0],
            )
            for ring in self._rings
            for raw in ring.take()
        ]

    def settle(self, connection: int) -> None:
        """Wait until all is answered: the kernel sends the last of what nobody waits for late."""
        waiting = os.path.join(self._control, str(connection), "waiting")
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                with open(waiting) as count:
                    if not int(count.read()):
                        return
            except FileNotFoundError:
                return  # it is unmounted
            time.sleep(0.001)


class _Ring:
    """What one processor has recorded of an event."""

    def __init__(self, cpu: int, event: int) -> None:
        attributes = _ATTRIBUTES.pack(
            _TYPE_TRACEPOINT, _ATTRIBUTES.size, event, 1, _SAMPLE_RAW, 0, 0, 0, 0, 0
        )
        libc = ctypes.CDLL(None, use_errno=True)
        number = _SYSTEM_CALLS.get(os.uname().machine)
        if number is None:
            raise Unavailable(f"perf_event_open(2) is not known for {os.uname().machine}")
        descriptor = libc.syscall(ctypes.c_long(number), attributes, -1, cpu, -1, 8)  # CLOEXEC
        if descriptor < 0:
            raise Unavailable(f"perf_event_open(2): {os.strerror(ctypes.get_errno())}")
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE + _RING)

    def take(self) -> Iterator[bytes]:
        """Yield the raw bytes of all events since the last call."""
        (head,) = _POSITION.unpack_from(self._memory, _HEAD)
        (tail,) = _POSITION.unpack_from(self._memory, _TAIL)
        data = self._copy(tail, head)
        _POSITION.pack_into(self._memory, _TAIL, head)
        position = 0
        while position < len(data):
            kind, _, size = _HEADER.unpack_from(data, position)
            if kind == _RECORD_LOST:
                raise Unavailable("requests came faster than they could be counted")
            if kind == _RECORD_SAMPLE:
                yield data[position + _HEADER.size + _RAW_HEADER : position + size]
            position += size

    def _copy(self, tail: int, head: int) -> bytes:
        start, end = tail % _RING, tail % _RING + head - tail
        first = self._memory[mmap.PAGESIZE + start : mmap.PAGESIZE + min(end, _RING)]
        return first + self._memory[mmap.PAGESIZE : mmap.PAGESIZE + max(0, end - _RING)]


def _describe_event(directory: str) -> tuple[int, int, int]:
    """Return where connection and opcode are in the event's raw bytes, and the event's number."""
    try:
        with open(os.path.join(directory, "format")) as text:
            lines = text.read().splitlines()
    except OSError as error:
        raise Unavailable(f"this kernel does not tell FUSE requests: {error}") from error
    offsets = {}
    number = 0
    for line in lines:
        if line.startswith("ID:"):
            number = int(line.partition(":")[2])
        declaration, _, rest = line.strip().partition(";\toffset:")
        if rest:
            offsets[declaration.split()[-1]] = int(rest.partition(";")[0])
    return offsets["connection"], offsets["opcode"], number


def count_on(requests: Sequence[Request], connection: int) -> int:
    """Return how many of *requests* went to *connection*."""
    return sum(request.connection == connection for request in requests)


def count_of_only_mount(requests: Sequence[Request]) -> int | None:
    """Return how many of *requests* went to the one file system that was mounted meanwhile.

    None if there was none, or several.
    """
    mounted = [request.connection for request in requests if request.opcode == _INIT]
    return count_on(requests, mounted[0]) if len(mounted) == 1 else None


def connection_of(mountpoint: str) -> int | None:
    """Return the connection of the FUSE file system at *mountpoint*, None if it is none.

    A stat(2) would tell too, but may be a request.
    """
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[4] == mountpoint and fields[fields.index("-") + 1].startswith("fuse"):
                return int(fields[2].partition(":")[2])
    return None
