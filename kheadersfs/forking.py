"""Start another process."""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, reason


def fork() -> int:
    """Fork, as os.fork() does. Raises KheadersfsError when there is no room for a process."""
    try:
        return os.fork()
    except OSError as error:
        raise KheadersfsError(
            f"no process can be started: {reason(error)}; end some, or let their user have more"
        ) from error
