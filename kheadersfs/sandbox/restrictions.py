"""Everything that a process gives up for good before it reads an archive.

Everything here holds for the calling thread and for those it starts later, so there must be no
other thread yet. What the process will need must be open and imported before.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from kheadersfs.errors import reason
from kheadersfs.sandbox import landlock, seccomp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOBODY = 65534
"""The user and group that own nothing, on every distribution."""
OPEN_FILES = 64
THREADS_OF_USER = 10_000
"""Threads that the user may have. The kernel counts those of all processes, so other mounts'
servers need room in it."""
ADDRESS_SPACE = 512 << 20
"""Bytes that may be mapped besides what is mapped already and what the caller asks for."""
ADDRESS_SPACE_PER_PROCESSOR = 16 << 20
"""Room for one thread's stack, and what its decoder maps."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_LAST_CAPABILITY = "/proc/sys/kernel/cap_last_cap"
_CAPABILITY_VERSION_3 = 0x20080522
_M_ARENA_MAX = -8


class Exceptions(NamedTuple):
    """What a process keeps although restrict() would take it.

    ``paths`` are landlock's rights by path, ``calls`` are system calls by name with what may be
    chosen in them, as seccomp.py has these, and ``may_connect`` allows connections to other
    machines.
    """

    paths: Mapping[str, int]
    calls: Mapping[str, tuple[int, int | None]]
    choices: Mapping[str, seccomp.Choice]
    may_connect: bool


NOTHING = Exceptions({}, {}, {}, may_connect=False)


class Restrictions(NamedTuple):
    """What a process gave up, and what it could not give up.

    ``in_force`` describes each restriction, by its subject. ``missing`` has a sentence for each
    that is lacking.
    """

    in_force: dict[str, str]
    missing: list[str]


def restrict(
    address_space: int,
    user: int = NOBODY,
    end_with_parent: bool = False,
    but: Exceptions = NOTHING,
) -> Restrictions:
    """Give up everything but computing with what is open.

    As root the process becomes *user*, with the group of the same number and no other.
    *address_space* is how many bytes the caller means to allocate. With *end_with_parent* the
    kernel kills this process when the one that forked it ends. *but* is what it keeps.
    """
    given_up = Restrictions({}, [])
    libc = ctypes.CDLL(None, use_errno=True)

    def give_up(subject: str, function: Callable[[], str]) -> None:
        try:
            given_up.in_force[subject] = function()
        except OSError as error:
            given_up.missing.append(f"{subject}: not restricted: {reason(error)}")

    time.tzset()  # reads the time zone's file, which is read at first use otherwise
    give_up("memory", lambda: _limit_memory(libc, address_space))
    give_up("threads", lambda: _limit(resource.RLIMIT_NPROC, THREADS_OF_USER))
    give_up("user", lambda: _become(libc, user))
    give_up("capabilities", lambda: _drop_capabilities(libc))
    if end_with_parent:  # changing the user would undo it
        give_up("life", lambda: _end_with_parent(libc))
    give_up("core dumps", lambda: _prevent_dumps(libc))
    give_up("new privileges", lambda: _prevent_new_privileges(libc))
    give_up("landlock", lambda: _restrict_paths(but))
    # What comes before opens files, and more than that may be open already.
    give_up("descriptors", lambda: _limit(resource.RLIMIT_NOFILE, OPEN_FILES))
    give_up("seccomp", lambda: _restrict_calls(but))
    return given_up


def _restrict_calls(but: Exceptions) -> str:
    return f"{seccomp.restrict_thread(but.calls, but.choices)} system calls left"


def _restrict_paths(but: Exceptions) -> str:
    version = landlock.restrict_thread(but.paths, but.may_connect)
    return f"{f'{len(but.paths)} paths' if but.paths else 'no access by path'}, ABI {version}"


def _limit(kind: int, value: int) -> str:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))
    return f"at most {value}"


def _limit_memory(libc: ctypes.CDLL, address_space: int) -> str:
    # Every thread would otherwise reserve an arena of 128 MiB. musl has no arenas.
    with contextlib.suppress(AttributeError):
        libc.mallopt(_M_ARENA_MAX, 1)
    with open("/proc/self/statm", "rb") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    processors = (os.cpu_count() or 1) * ADDRESS_SPACE_PER_PROCESSOR
    size = mapped + address_space + ADDRESS_SPACE + processors
    _limit(resource.RLIMIT_AS, size)
    return f"at most {size >> 20} MiB mapped"


def _become(libc: ctypes.CDLL, user: int) -> str:
    """Become *user* for good. Root also gives up what set-user-ID programs could give back."""
    if os.geteuid() != 0:
        return f"uid {os.geteuid()}, as started"
    with open(_LAST_CAPABILITY, "rb") as last:
        for capability in range(int(last.read()) + 1):
            _checked(libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    return f"uid {user}, no groups"


def _drop_capabilities(libc: ctypes.CDLL) -> str:
    """Empty all sets, which changing the user alone does not do when it fails or is not needed."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(libc.capset(ctypes.byref(header), ctypes.byref(nothing)))
    return "none"


def _end_with_parent(libc: ctypes.CDLL) -> str:
    _checked(libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0))
    return "ends with its parent"


def _prevent_dumps(libc: ctypes.CDLL) -> str:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _checked(libc.prctl(_PR_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0))
    return "none, no tracing"


def _prevent_new_privileges(libc: ctypes.CDLL) -> str:
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0))
    return "none"


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
