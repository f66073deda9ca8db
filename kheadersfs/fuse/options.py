"""How an archive is served."""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, absent_directory, reason
from kheadersfs.limits import DEFAULT_BUDGET, DEFAULT_LIMITS, Limits
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.bpf.btf import BtfFile

SYSTEM_LOG, STANDARD_ERROR = -1, 2


class ServeOptions(Record):
    """How an archive is served.

    ``owner`` is the (uid, gid) of everything in it; ``budget`` is in bytes of decoded content;
    ``idle_timeout`` in seconds, None for never. ``log`` and ``record`` are descriptors to write
    messages and the paths of opened files to; or SYSTEM_LOG, and None. Errors go to the descriptor
    ``complaints`` as well, if there is one. ``btf`` has the types for include/vmlinux.h, None for
    those of the running kernel. ``limits`` are for archives that are opened for one run each.
    ``kernel`` is the number of the one of several that is shown alone, as the root.
    """

    owner: tuple[int, int] = (0, 0)
    budget: int = DEFAULT_BUDGET
    idle_timeout: float | None = None
    prefetch: bool = False
    strict: bool = False
    log: int = SYSTEM_LOG
    complaints: int | None = None
    record: int | None = None
    btf: BtfFile | None = None
    limits: Limits = DEFAULT_LIMITS
    kernel: int | None = None


def open_output(path: str, append: bool = False) -> int:
    """Open *path* for a server to write to. What is there stays there until it does.

    Raises KheadersfsError.
    """
    mode = os.O_APPEND if append else 0
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | mode, 0o644)
    except OSError as error:
        raise KheadersfsError(
            absent_directory(path, error) or f"{path}: cannot be written to: {reason(error)}"
        ) from error
