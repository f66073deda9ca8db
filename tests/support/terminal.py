"""What a command writes to a terminal, and what of that can still be seen at its end."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.support.mounting import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ERASED = "\r\x1b[K"
"""What erases a line."""


def written_to_terminal(
    words: Sequence[str],
    output: Callable[[int], int] = lambda terminal: terminal,
    react: Callable[[str], None] = lambda _written: None,
) -> str:
    """Return what a command writes to a terminal, its *output* too unless that goes elsewhere.

    *react* is called with what has been written so far, whenever that is more.
    """
    reader, terminal = pty.openpty()
    with os.fdopen(reader, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            command_line(*words), stdout=output(terminal), stderr=terminal, start_new_session=True
        )
        os.close(terminal)
        written = b""
        with suppress(OSError):  # EIO is how a terminal that nobody has open any more ends
            while piece := screen.read(4096):
                written += piece
                react(written.decode())
        process.wait()
    return written.decode()


def seen_on_screen(written: str) -> str:
    """Return what a terminal still shows of *written*, had it room for all."""
    lines = written.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition(ERASED)[2] for line in lines)
