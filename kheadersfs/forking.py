"""Start another process, and hold back what would end this one meanwhile."""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the enumerations around it take 4 ms of every mount to import


ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a terminal or a supervisor sends to end a process."""


class HeldSignals:
    """Lets signals that would end this process wait, from now until they are released.

    A process that is forked meanwhile holds them back too.
    """

    def __init__(self) -> None:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)

    def has_come(self) -> bool:
        """Tell whether there is one that waits, and will not be ignored."""
        pending = signal.sigpending().intersection(ENDING_SIGNALS)
        return any(signal.getsignal(number) != signal.SIG_IGN for number in pending)

    def release(self) -> None:
        """Let them come. Raises KeyboardInterrupt when there was an interrupt."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def fork() -> int:
    """Fork, as os.fork() does. In the child an interrupt ends the process, and raises nothing.

    A signal that comes meanwhile waits: the interpreter's own work at a fork would swallow what its
    handler raises, and print a traceback. Raises KheadersfsError when there is no room for a
    process.
    """
    signals = HeldSignals()
    try:
        pid = os.fork()
        if pid == 0 and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except OSError as error:
        raise KheadersfsError(
            f"no process can be started: {reason(error)}; end some, or let their user have more"
        ) from error
    finally:
        signals.release()
    return pid
