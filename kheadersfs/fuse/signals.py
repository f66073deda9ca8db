"""The signals that ask a server to leave."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDING = (signal.SIGTERM, signal.SIGINT)


def hold_back_signals() -> None:
    """Let a signal that comes too early wait until there is a handler for it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def handle_signals(handler: Callable[[int, object], None]) -> None:
    """Have *handler* called for the signals that were held back, and for later ones."""
    for number in _ENDING:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
