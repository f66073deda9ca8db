"""Choose what an interrupt (^C) does to this process, and what becomes of children that end.

An interrupt raises KeyboardInterrupt, or ends the process at once. It ends the process while
modules are imported: nothing has to be undone yet, and Python would print a traceback.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the enumerations around it take 4 ms of every mount to import


def end_at_interrupt() -> None:
    """Let an interrupt end this process, unless its caller has it ignored."""
    _exchange(signal.default_int_handler, signal.SIG_DFL)


def raise_at_interrupt() -> None:
    """Undo end_at_interrupt()."""
    _exchange(signal.SIG_DFL, signal.default_int_handler)


def keep_ended_children() -> None:
    """Have each child that ends wait until this process has asked for its exit status.

    The kernel forgets it at once where SIGCHLD is ignored. A process ignores that from its start if
    its caller did.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _exchange(old: object, new: signal._HANDLER) -> None:
    if signal.getsignal(signal.SIGINT) == old:
        signal.signal(signal.SIGINT, new)
