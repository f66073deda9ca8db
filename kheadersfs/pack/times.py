"""The one modification time of all members: from the environment, never from a clock."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from kheadersfs.errors import KheadersfsError, UsageError, reason

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TIME = 315_532_800
"""1980-01-01 00:00:00 UTC. A tree's own times are those of a checkout or a build: a clock's."""
_LARGEST_TIME = 1 << 32


def member_time(environment: Mapping[str, str]) -> int:
    """Return the modification time for members, in seconds since 1970.

    It is KBUILD_BUILD_TIMESTAMP, anything that ``date -d`` takes (UTC unless it says otherwise), or
    else SOURCE_DATE_EPOCH, a number of seconds, or else DEFAULT_TIME. Raises UsageError.
    """
    timestamp = environment.get("KBUILD_BUILD_TIMESTAMP", "")
    if timestamp:
        return _checked("KBUILD_BUILD_TIMESTAMP", timestamp, _parse_date(timestamp, environment))
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    if epoch:
        return _checked("SOURCE_DATE_EPOCH", epoch, epoch)
    return DEFAULT_TIME


def _checked(variable: str, value: str, seconds: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", seconds) or int(seconds) >= _LARGEST_TIME:
        raise UsageError(
            f"{variable}={value}: is not a time from 1970 to 2106; correct or unset it"
        )
    return int(seconds)


def _parse_date(text: str, environment: Mapping[str, str]) -> str:
    """Return *text* in seconds since 1970 as date(1) understands it, like the kernel's makefiles.

    Without an answer the result is empty, as it is for a blank: date takes that for today.
    """
    if not text.strip():
        return ""
    at = re.fullmatch(r"@([0-9]+)", text)
    if at:
        return at[1]
    try:
        done = subprocess.run(
            ["date", "-u", "-d", text, "+%s"],
            env={**environment, "LC_ALL": "C", "TZ": "UTC0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise KheadersfsError(
            f"cannot run date to read KBUILD_BUILD_TIMESTAMP: {reason(error)}"
        ) from error
    return done.stdout.strip()
