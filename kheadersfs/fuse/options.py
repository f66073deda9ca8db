"""The options of a server."""

from __future__ import annotations

import os

from kheadersfs.errors import KheadersfsError, absent_directory, reason
from kheadersfs.limits import DEFAULT_BUDGET, DEFAULT_LIMITS, Limits
from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kheadersfs.bpf.btf import BtfFile

SYSTEM_LOG, STANDARD_ERROR = -1, 2
"""Values of ServeOptions.log."""


class ServeOptions(Record):
    """How an archive is served.

    - ``owner`` is the (uid, gid) of every inode.
    - ``budget`` is how many bytes of decoded content the server may hold.
    - ``idle_timeout`` is the seconds after which an unused mount is unmounted, None for never.
    - ``prefetch`` has the archive read, and its hot blocks decoded, before a request needs them.
    - ``strict`` refuses an archive of which members are left out or renamed; see safety.
    - ``log`` is the descriptor to which messages are written, or SYSTEM_LOG.
    - ``complaints`` is a descriptor to which errors are also written, None for none.
    - ``record`` is a descriptor to which the paths of opened files are written, None for none.
    - ``btf`` has the types for include/vmlinux.h. With None they are the running kernel's.
    - ``limits`` are for the archives that ``run`` opens itself, in a process for each kernel.
    - ``kernel`` is the number of the kernel, of several, that the root shows; None for all.
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
    """Open *path* for a server to write to. Returns the descriptor.

    The file is created if need be, but not emptied. With *append* the server writes behind what the
    file has. Raises KheadersfsError if it cannot be written to.
    """
    mode = os.O_APPEND if append else 0
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | mode, 0o644)
    except OSError as error:
        raise KheadersfsError(
            absent_directory(path, error) or f"{path}: cannot be written to: {reason(error)}"
        ) from error
