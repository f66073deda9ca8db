"""Write a server's messages to the system's log, to a file, or to standard error."""

from __future__ import annotations

import logging
import sys
import syslog

from kheadersfs.errors import escaped

MESSAGES_REMEMBERED = 10_000
"""Most messages that are kept to recognise repetitions; those after them are all logged."""
STANDARD_ERROR = 2
_COMPLAINT = "kheadersfs: %(message)s"

_PRIORITIES = {
    logging.DEBUG: syslog.LOG_DEBUG,
    logging.INFO: syslog.LOG_INFO,
    logging.WARNING: syslog.LOG_WARNING,
    logging.ERROR: syslog.LOG_ERR,
}


class _SystemLog(logging.Handler):
    """Sends records to syslog(3). The handler of the standard library takes 10 ms to import."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send *record*. What syslog(3) does not take, zeros and surrogates, is escaped."""
        text = self.format(record).encode(errors="backslashreplace").replace(b"\0", b"\\0")
        syslog.syslog(_PRIORITIES.get(record.levelno, syslog.LOG_ERR), text.decode())


class _Escaping(logging.Formatter):
    """Escapes what is not printable, so that no name can break a message into several lines.

    A traceback follows in lines of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Return the line for *record*."""
        return escaped(super().formatMessage(record))


class _OneLine(_Escaping):
    """Formats a message for the terminal of the user of a command, without a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message alone."""
        record.message = record.getMessage()
        return self.formatMessage(record)


class _AbandonedReplies(logging.Filter):
    """Drops what pyfuse3 logs when a process is killed before its request has been answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether *record* is something else."""
        return "fuse_reply_* failed with No such file" not in record.getMessage()


class _Repetitions(logging.Filter):
    """Drops a message that has been logged before: a damaged block is asked for again and again."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the message of *record* is new."""
        message = record.getMessage()
        if message in self._seen:
            return False
        if len(self._seen) < MESSAGES_REMEMBERED:
            self._seen.add(message)
        return True


def open_log(descriptor: int | None, complaints: int | None = None) -> logging.Logger:
    """Send all messages of this process to *descriptor*, or to the system's log if it is None.

    Errors also go to the descriptor *complaints*, if there is one. Returns the logger of
    kheadersfs.
    """
    handler: logging.Handler
    if descriptor is None:
        # LOG_NDELAY connects now. The process cannot once it has given up its rights.
        syslog.openlog("kheadersfs", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_DAEMON)
        handler = _SystemLog()
        layout = "%(message)s"
    elif descriptor == STANDARD_ERROR:
        handler = logging.StreamHandler(sys.stderr)
        layout = _COMPLAINT
    else:
        stream = open(descriptor, "a", errors="surrogateescape")  # noqa: SIM115 - never closed
        handler = logging.StreamHandler(stream)
        layout = "%(asctime)s kheadersfs[%(process)d] %(levelname)s: %(message)s"
    # Else the logging module would print a traceback for each message that a full disk refuses.
    logging.raiseExceptions = False
    _add(handler, _Escaping(layout))
    if complaints is not None:
        stream = open(complaints, "a", errors="backslashreplace")  # noqa: SIM115 - as above
        handler = logging.StreamHandler(stream)
        handler.setLevel(logging.ERROR)
        _add(handler, _OneLine(_COMPLAINT))
    return logging.getLogger("kheadersfs")


def _add(handler: logging.Handler, formatter: logging.Formatter) -> None:
    """Send all messages to *handler* as well."""
    handler.setFormatter(formatter)
    handler.addFilter(_AbandonedReplies())
    handler.addFilter(_Repetitions())
    logging.getLogger().addHandler(handler)
