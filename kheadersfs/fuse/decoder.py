"""The process that decodes an archive while its server is still importing.

A decoder may run only where there are no rights left to misuse. A server gives them up when it has
imported all that it needs, which takes longer than a compiler needs to ask for its first header. So
where somebody is about to read all of an archive that has to be decoded in one go, another process
gives up its rights at once, and decodes on another processor. The server reads what it decodes.
"""

from __future__ import annotations

import fcntl
import os
import select

from kheadersfs.archive.source import FileSource
from kheadersfs.bare import suppress
from kheadersfs.errors import KheadersfsError
from kheadersfs.forking import close_descriptors, connect_to_nothing, fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn

    from kheadersfs.archive.compression.piped_stream import PipedStream
    from kheadersfs.archive.opening import Archive
else:
    import _signal as signal  # see forking

DECODED_AHEAD = 16 << 20
"""Bytes that may be decoded before the server reads: what is done in the time that it imports."""
_PIPE_SIZE = 1 << 20
"""Bytes that are on their way between the two: so much any user may have."""
_FAREWELL = 1.0
"""Seconds that the process may take to end."""


def is_of_use(archive: Archive) -> bool:
    """Tell whether all of *archive* has to be decoded in one go before any of it can be served.

    Of several blocks only those are decoded that are read, as their index may say.
    """
    in_one_go = archive.blocks is None or len(archive.blocks) < 2
    return in_one_go and not archive.is_plain and isinstance(archive.source, FileSource)


class Decoder:
    """The process that decodes *archive*, which is_of_use(), as its server sees it.

    *budget* is how many bytes it may allocate.
    """

    def __init__(self, archive: Archive, budget: int) -> None:
        """Start it. Raises KheadersfsError when there is no room for a process.

        No child of this process is to be waited for any more: nothing stays of those that end.
        """
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with suppress(OSError):  # where the user has no more room for pipes, this one is smaller
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        server = os.getpid()
        try:
            self.pid = fork()
        except KheadersfsError:
            os.close(reading)
            os.close(writing)
            raise
        if self.pid == 0:
            _decode(archive, budget, writing, server)
        os.close(writing)
        # The server gives up the right to wait for it.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self._end = os.pidfd_open(self.pid)
        self._name = archive.source.name
        self._pipe = reading
        self._stream: PipedStream | None = None

    def stream(self) -> PipedStream:
        """Return what the archive decodes to, to be read once."""
        # It takes 20 ms, which the process must not wait for to be started.
        from kheadersfs.archive.compression.piped_stream import PipedStream

        if self._stream is None:
            self._stream = PipedStream(self._name, self._pipe)
        return self._stream

    def dismiss(self) -> None:
        """Have it end, and wait for that. It ends when what it has decoded can go nowhere."""
        if self._stream is None:
            os.close(self._pipe)
        else:
            self._stream.close()
        poller = select.poll()
        poller.register(self._end, select.POLLIN)
        poller.poll(_FAREWELL * 1000)


def _decode(archive: Archive, budget: int, pipe: int, server: int) -> NoReturn:
    """Be that process. Its server finds out by the pipe's end when something goes wrong."""
    try:
        assert isinstance(archive.source, FileSource)
        kept = (archive.source.descriptor, pipe)
        # Above all /dev/fuse: while somebody has that open, the mount does not end with its server.
        close_descriptors(lambda descriptor: descriptor in kept)
        connect_to_nothing()
        # It takes 20 ms, which the server would have to wait for if it came before the fork.
        from kheadersfs.archive.compression import piped
        from kheadersfs.archive.compression.pieces import decode_in_pieces
        from kheadersfs.limits import Meter
        from kheadersfs.sandbox.restrictions import restrict

        source, kind, limits = archive.source, archive.kind, archive.limits
        kind.prepare_blocks()
        kind.prepare_stream()
        restrict(budget, end_with_parent=True)
        if os.getppid() == server:  # else it ended before this process could be bound to it
            with suppress(OSError, KheadersfsError, MemoryError):
                pieces = decode_in_pieces(source, kind, archive.blocks, limits)
                meter = Meter(source.name, source.size, limits)
                piped.write(pieces, pipe, DECODED_AHEAD, meter)
    finally:
        os._exit(0)
