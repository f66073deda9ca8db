"""Handle the signals that end a server, and the alarm that keeps it from waiting for ever."""

from __future__ import annotations

from kheadersfs.forking import ENDING_SIGNALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # see forking

ALARM_INTERVAL = 0.1
"""Seconds between two alarms: the longest time that a system call waits for nothing."""
_ENDING = (signal.SIGTERM, signal.SIGINT)


def hold_back_signals() -> None:
    """Block the signals that end a server until handle_signals() is called."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def handle_signals(handler: Callable[[int, object], None]) -> None:
    """Have *handler* called for the signals that were held back, and for later ones.

    It also unblocks the other ENDING_SIGNALS, which the mount command has blocked.
    """
    for number in _ENDING:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


class Alarm:
    """Interrupts the system call in which the process waits, every ALARM_INTERVAL seconds."""

    def __init__(self) -> None:
        signal.signal(signal.SIGALRM, lambda _number, _frame: None)

    def start(self) -> None:
        """Start the alarm."""
        signal.setitimer(signal.ITIMER_REAL, ALARM_INTERVAL, ALARM_INTERVAL)

    def stop(self) -> None:
        """Stop the alarm."""
        signal.setitimer(signal.ITIMER_REAL, 0)
