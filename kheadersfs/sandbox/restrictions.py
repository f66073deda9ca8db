"""Give up, for good, all that a process does not need to read an archive.

The restrictions hold for the calling thread and for those that it starts later, so there must be no
other thread yet. What the process will need must be open and imported before.
"""

from __future__ import annotations

import ctypes
import os
import resource
import time

from kheadersfs.bare import suppress
from kheadersfs.errors import reason
from kheadersfs.records import Record
from kheadersfs.sandbox import landlock, seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
else:
    import _signal as signal  # see forking

NOBODY = 65534
"""The number of the user and the group that own nothing, on every distribution."""
OPEN_FILES = 64
"""Most descriptors that a process may have open after it has given up its rights."""
THREADS_OF_USER = 10_000
"""Most threads that the user may have. The kernel counts the threads of all the user's processes,
so there must be room for the servers of other mounts."""
ADDRESS_SPACE = 512 << 20
"""Bytes that may be mapped besides what is mapped already and what the caller asks for."""
ADDRESS_SPACE_PER_PROCESSOR = 16 << 20
"""Bytes for the stack of one thread, and for what its decoder maps."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_LAST_CAPABILITY = "/proc/sys/kernel/cap_last_cap"
_CAPABILITY_VERSION_3 = 0x20080522
_M_ARENA_MAX = -8


class Exceptions(Record):
    """What a process keeps although restrict() would take it away.

    ``paths`` are rights by path, and ``may_connect`` allows TCP connections; see
    landlock.restrict_thread(). ``calls`` are further system calls by name, and ``choices`` says
    which arguments some of them may have; see seccomp.restrict_thread().
    """

    paths: Mapping[str, int]
    calls: Mapping[str, tuple[int, int | None]]
    choices: Mapping[str, seccomp.Choice]
    may_connect: bool


NOTHING = Exceptions({}, {}, {}, may_connect=False)


class Restrictions(Record):
    """What a process has given up, and what it could not.

    ``in_force`` describes each restriction in force, by its subject. ``missing`` has a sentence for
    each of the others.
    """

    in_force: dict[str, str]
    missing: list[str]


def restrict(
    address_space: int,
    user: int = NOBODY,
    end_with_parent: bool = False,
    but: Exceptions = NOTHING,
) -> Restrictions:
    """Give up everything but computing, and using what is open.

    *address_space* is how many bytes the caller means to allocate. As root the process becomes
    *user*, in the group of the same number and no other. With *end_with_parent* the kernel kills
    this process when its parent ends. *but* is what it keeps. A restriction that fails is no error;
    the result names it.
    """
    given_up = Restrictions({}, [])
    libc = ctypes.CDLL(None, use_errno=True)

    def give_up(subject: str, function: Callable[[], str]) -> None:
        try:
            given_up.in_force[subject] = function()
        except OSError as error:
            given_up.missing.append(f"{subject}: not restricted: {reason(error)}")

    time.tzset()  # reads the file of the time zone, which cannot be opened later
    give_up("memory", lambda: _limit_memory(libc, address_space))
    give_up("threads", lambda: _limit(resource.RLIMIT_NPROC, THREADS_OF_USER))
    give_up("user", lambda: _become(libc, user))
    give_up("capabilities", lambda: _drop_capabilities(libc))
    if end_with_parent:  # changing the user would undo it
        give_up("life", lambda: _end_with_parent(libc))
    give_up("core dumps", lambda: _prevent_dumps(libc))
    give_up("new privileges", lambda: _prevent_new_privileges(libc))
    give_up("landlock", lambda: _restrict_paths(but))
    # The steps before this one open files, and more than OPEN_FILES may be open already.
    give_up("descriptors", lambda: _limit(resource.RLIMIT_NOFILE, OPEN_FILES))
    give_up("seccomp", lambda: _restrict_calls(but))
    return given_up


# Each of these functions makes one restriction, and returns what Restrictions.in_force says of it.
# It raises OSError if that fails.


def _restrict_calls(but: Exceptions) -> str:
    return f"{seccomp.restrict_thread(but.calls, but.choices)} system calls left"


def _restrict_paths(but: Exceptions) -> str:
    version = landlock.restrict_thread(but.paths, but.may_connect)
    return f"{f'{len(but.paths)} paths' if but.paths else 'no access by path'}, ABI {version}"


def _limit(kind: int, value: int) -> str:
    """Limit the resource *kind* to *value*, or to its hard limit if that is lower."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))
    return f"at most {value}"


def _limit_memory(libc: ctypes.CDLL, address_space: int) -> str:
    # glibc would otherwise reserve an arena of 128 MiB for each thread. musl has no arenas.
    with suppress(AttributeError):
        libc.mallopt(_M_ARENA_MAX, 1)
    with open("/proc/self/statm", "rb") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    processors = (os.cpu_count() or 1) * ADDRESS_SPACE_PER_PROCESSOR
    size = mapped + address_space + ADDRESS_SPACE + processors
    _limit(resource.RLIMIT_AS, size)
    return f"at most {size >> 20} MiB mapped"


def _become(libc: ctypes.CDLL, user: int) -> str:
    """As root become *user* for good, and empty the bounding set of capabilities."""
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
    """Empty all sets of capabilities, also where the user was not changed."""
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
