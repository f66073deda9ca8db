"""Start another process."""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the enumerations around it take 4 ms of every mount to import


def fork() -> int:
    """Fork, as os.fork() does. In the child an interrupt ends the process, and raises nothing.

    A signal that comes meanwhile waits: the interpreter's own work at a fork would swallow what its
    handler raises, and print a traceback. Raises KheadersfsError when there is no room for a
    process.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        pid = os.fork()
        if pid == 0 and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except OSError as error:
        raise KheadersfsError(
            f"no process can be started: {reason(error)}; end some, or let their user have more"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid
