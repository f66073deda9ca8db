"""Private mount and process namespaces, so that nothing can be left behind.

The measuring process is process 1 of its own process namespace. When it ends, however it ends, the
kernel kills every server that it started, and every mount made meanwhile goes with them.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import tempfile
from typing import TYPE_CHECKING

from benchmark.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_MS_REC, _MS_SLAVE = 0x4000, 0x80000
_PR_SET_PDEATHSIG = 1
_PREFIX = "kheadersfs-bench-"


def run_isolated(function: Callable[[str], int], parent: str) -> int:
    """Call *function* in new namespaces with a scratch directory below *parent*, which is removed.

    Returns what *function* returned, in its process and in this one, where that is its exit status;
    128 + N when signal N ended it. The directory has a tmpfs mounted at ``memory`` in it. An
    ordinary user gets a user namespace around the others; the kernel then refuses to mount images
    and to drop caches. Raises BenchError when the namespaces cannot be had.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    _unshare(libc, _CLONE_NEWPID | (_CLONE_NEWUSER if uid else 0))
    if uid:
        _become_root_of_namespace(uid, gid)
    scratch = _make_scratch(parent)
    child = os.fork()
    if child == 0:
        _enter_as_first_process(libc, scratch)
        return function(scratch)
    try:
        return _await(child)
    finally:
        shutil.rmtree(scratch)


def _make_scratch(parent: str) -> str:
    """Make the scratch directory, and remove those of runs that were killed.

    A running one holds a lock on its directory.
    """
    for name in os.listdir(parent):
        if name.startswith(_PREFIX):
            path = os.path.join(parent, name)
            descriptor = os.open(path, os.O_RDONLY)
            if _lock(descriptor):
                shutil.rmtree(path)
            os.close(descriptor)
    scratch = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    _lock(os.open(scratch, os.O_RDONLY))  # until this process and its child end
    os.mkdir(os.path.join(scratch, "memory"))
    return scratch


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _become_root_of_namespace(uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {uid} 1"),
        ("gid_map", f"0 {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as control:
            control.write(text)


def _enter_as_first_process(libc: ctypes.CDLL, scratch: str) -> None:
    """Finish what makes this process the first of its namespaces."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Process 1 ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _exit_on_signal)
    _unshare(libc, _CLONE_NEWNS)
    mount("none", "/", None, _MS_REC | _MS_SLAVE)
    mount("proc", "/proc", "proc", 0)
    mount("tmpfs", os.path.join(scratch, "memory"), "tmpfs", 0)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _unshare(libc: ctypes.CDLL, flags: int) -> None:
    if libc.unshare(flags):
        text = os.strerror(ctypes.get_errno())
        raise BenchError(f"no private namespaces: {text}; run this as root")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """Mount *source*, of the type *kind*, at *target*. Raises BenchError."""
    libc = ctypes.CDLL(None, use_errno=True)
    encoded = None if kind is None else kind.encode()
    if libc.mount(source.encode(), os.fsencode(target), encoded, ctypes.c_ulong(flags), None):
        raise BenchError(f"{target}: cannot mount {source}: {os.strerror(ctypes.get_errno())}")


def _await(child: int) -> int:
    """Wait for *child*, passing SIGTERM on; ^C reaches it by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _frame: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
