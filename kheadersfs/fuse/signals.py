"""The signals that ask a server to leave, and the one that keeps it from waiting for ever."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from kheadersfs.forking import ENDING_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable

ALARM_INTERVAL = 0.1
"""Seconds for which a system call may wait in vain."""
_ENDING = (signal.SIGTERM, signal.SIGINT)


def hold_back_signals() -> None:
    """Let a signal that comes too early wait until there is a handler for it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def handle_signals(handler: Callable[[int, object], None]) -> None:
    """Have *handler* called for the signals that were held back, and for later ones.

    Whoever mounts may have held back others too, for the time until this.
    """
    for number in _ENDING:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


class Alarm:
    """Interrupts, again and again, whatever system call the process is waiting in."""

    def __init__(self) -> None:
        signal.signal(signal.SIGALRM, lambda _number, _frame: None)

    def start(self) -> None:
        """Let it go off every ALARM_INTERVAL seconds."""
        signal.setitimer(signal.ITIMER_REAL, ALARM_INTERVAL, ALARM_INTERVAL)

    def stop(self) -> None:
        """Let it go off no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
