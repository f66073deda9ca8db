"""Write a server's messages to the system's log, to a file, or to standard error.

The module logging is not used: it and what it imports take 15 ms, a quarter of a server's start,
and most servers never have anything to say.
"""

from __future__ import annotations

import os
import sys
import syslog
import time

from kheadersfs.bare import suppress
from kheadersfs.errors import escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Output = Callable[[int, str], None]
    """Writes a message of a priority of syslog(3), which may have several lines."""

MESSAGES_REMEMBERED = 10_000
"""Most messages that are kept to recognise repetitions; those after them are all logged."""
STANDARD_ERROR = 2

_LEVELS = {syslog.LOG_WARNING: "WARNING", syslog.LOG_ERR: "ERROR"}
_ABANDONED = "fuse_reply_* failed with No such file"
"""What pyfuse3 logs when a process is killed before its request has been answered."""


class Log:
    """The messages of one process, pyfuse3's among them, which go to *output*.

    Errors also go to *complaints*, the terminal of a command's user. The methods are called
    as those of logging.Logger, and in any thread. A message that has been logged before is dropped:
    a damaged block is asked for again and again.
    """

    def __init__(self, output: Output, complaints: Output | None = None) -> None:
        self._output = output
        self._complaints = complaints
        self._seen: set[str] = set()

    def debug(self, message: str, *values: object) -> None:
        """Drop a message that is of use to the developers of pyfuse3 only."""

    def warning(self, message: str, *values: object) -> None:
        """Log what does not keep anybody from reading."""
        self._log(syslog.LOG_WARNING, _text(message, values))

    def error(self, message: str, *values: object) -> None:
        """Log what somebody gets an error for."""
        self._log(syslog.LOG_ERR, _text(message, values))

    def exception(self, message: str, *values: object) -> None:
        """Log an exception that is being handled, with its traceback."""
        self._log(syslog.LOG_ERR, _text(message, values), _traceback())

    def _log(self, priority: int, message: str, traceback: str = "") -> None:
        if message in self._seen or _ABANDONED in message:
            return
        if len(self._seen) < MESSAGES_REMEMBERED:
            self._seen.add(message)
        # No name can break a message into several lines. A traceback follows in lines of its own.
        line = escaped(message)
        self._output(priority, f"{line}\n{traceback}" if traceback else line)
        if self._complaints is not None and priority == syslog.LOG_ERR:
            self._complaints(priority, line)


def _text(message: str, values: tuple[object, ...]) -> str:
    """Return *message* with *values* in it. Without values a % in it means nothing."""
    return message % values if values else message


class _Text:
    """A file that keeps what is written to it."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def write(self, text: str) -> None:
        self.pieces.append(text)

    def flush(self) -> None:
        """Do nothing."""


def _traceback() -> str:
    """Return the traceback of the exception that is being handled, as Python prints it."""
    text, before = _Text(), sys.stderr
    sys.stderr = text
    try:
        sys.__excepthook__(*sys.exc_info())
    finally:
        sys.stderr = before
    return "".join(text.pieces).rstrip()


def open_log(descriptor: int | None, complaints: int | None = None) -> Log:
    """Return a log to *descriptor*, or to the system's log if it is None.

    Errors also go to the descriptor *complaints*, if there is one.
    """
    further = None if complaints is None else _complain_to(complaints)
    if descriptor is None:
        # LOG_NDELAY connects now. The process cannot once it has given up its rights.
        syslog.openlog("kheadersfs", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_DAEMON)
        return Log(_to_system, further)
    if descriptor == STANDARD_ERROR:
        return Log(_complain_to(descriptor), further)
    return Log(lambda priority, text: _write(descriptor, _heading(priority) + text), further)


def _to_system(priority: int, text: str) -> None:
    """Send *text* to syslog(3). What that does not take, zeros and surrogates, is escaped."""
    syslog.syslog(priority, text.encode(errors="backslashreplace").decode().replace("\0", "\\0"))


def _complain_to(descriptor: int) -> Output:
    """Return what writes to *descriptor* as commands write to a terminal."""
    return lambda _priority, text: _write(descriptor, f"kheadersfs: {text}")


def _heading(priority: int) -> str:
    """Return what stands before a message in a file: the time, the process, and the level."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    return f"{stamp},{int(now % 1 * 1000):03} kheadersfs[{os.getpid()}] {_LEVELS[priority]}: "


def _write(descriptor: int, text: str) -> None:
    """Write a line to *descriptor*. What a full disk refuses is lost."""
    with suppress(OSError):
        os.write(descriptor, f"{text}\n".encode(errors="backslashreplace"))
