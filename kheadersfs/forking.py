"""Start another process, and let go of what it has inherited.

What would end the process that starts it waits meanwhile.
"""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
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


def connect_to_nothing() -> None:
    """Have nobody at the other end of the standard streams wait for this process."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if null > 2:
        os.close(null)


def close_descriptors(is_kept: Callable[[int], bool]) -> None:
    """Close all that is open, but for the standard streams and the descriptors that are kept."""
    for entry in os.listdir("/proc/self/fd"):
        descriptor = int(entry)
        try:
            if descriptor > 2 and not is_kept(descriptor):
                os.close(descriptor)
        except OSError:
            continue  # the directory itself, which is closed by now


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
