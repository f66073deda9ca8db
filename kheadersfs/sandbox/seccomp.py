"""A seccomp filter: the system calls that serving needs, and no other.

Source: seccomp(2) and Documentation/userspace-api/seccomp_filter.rst. The filter is a classic BPF
program over the number of a system call and its arguments. What is not listed fails with EPERM:
the standard library copes with that, and an intruder gets no further than with a kill.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Calls = Mapping[str, tuple[int, int | None]]
    Choices = Mapping[str, "Choice"]

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
# Opcodes: load a word of the data, jump if equal or if any bit is set, return.
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
# Offsets in struct seccomp_data; of the arguments, the lower half on a little-endian machine.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_THIRD_ARGUMENT = 32
_FIFTH_ARGUMENT, _FIFTH_ARGUMENT_UPPER_HALF = 48, 52
_CLONE_THREAD = 0x00010000
# What pthread_create(3) asks for: what threads share, and where their numbers are noted. musl adds
# a flag that has no effect any more. No namespace is in it, and no signal at the end.
_FLAGS_OF_THREADS = 0x007D0F00
# These ask whether a descriptor is a terminal, and how wide it is.
_TCGETS, _TIOCGWINSZ = 0x5401, 0x5413
# These ask how a descriptor was opened, and change it. With other commands of fcntl(2) a process
# can have the kernel send signals to others, or hold locks and leases that others wait for.
_F_GETFD, _F_GETFL, _F_SETFL = 1, 3, 4
_INSTRUCTION = struct.Struct("=HBBI")

# What is not here on purpose: pipe2 and splice. libfuse would take every request through a pipe, at
# the price of another system call; when it cannot make one it reads.
# Numbers on x86_64, and those of include/uapi/asm-generic/unistd.h that all newer ones share.
_CALLS: dict[str, tuple[int, int | None]] = {
    # Descriptors that are open already: the archive, /dev/fuse, the log, the guardian's pipe.
    "read": (0, 63),
    "pread64": (17, 67),
    "readv": (19, 65),
    "write": (1, 64),
    "pwrite64": (18, 68),
    "writev": (20, 66),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "close": (3, 57),
    "dup3": (292, 24),
    "poll": (7, None),
    "ppoll": (271, 73),
    # These take and return memory.
    "brk": (12, 214),
    "mmap": (9, 222),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "munmap": (11, 215),
    # Threads, which clone makes, time and signals.
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "setitimer": (38, 103),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "getrandom": (318, 278),
    "exit": (60, 93),
    "exit_group": (231, 94),
}


# These calls are allowed with some arguments only; see _conditions(). The columns are the same.
CONDITIONAL_CALLS = {
    "clone": (56, 220),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "sched_getaffinity": (204, 123),
    "sendto": (44, 206),
}
_CLONE3 = 435  # everywhere
_NO_CALLS: Calls = {}
_NO_CHOICES: Choices = {}


class Choice(NamedTuple):
    """The *values* that an argument of a call may have, which is an int; 0 is the first one."""

    argument: int
    values: tuple[int, ...]


class _Machine(NamedTuple):
    """An architecture: its number in audit records, and its column in the tables of calls."""

    audit: int
    column: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0),
    "aarch64": _Machine(0xC00000B7, 1),
    "riscv64": _Machine(0xC00000F3, 1),
    "loongarch64": _Machine(0xC0000102, 1),
}


class _Line(NamedTuple):
    """An instruction. ``then`` and ``otherwise`` are labels of later ones; empty is the next."""

    opcode: int
    operand: int
    then: str = ""
    otherwise: str = ""
    label: str = ""


class _Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict_thread(more: Calls = _NO_CALLS, choices: Choices = _NO_CHOICES) -> int:
    """Leave the calling thread, and all it starts from now on, nothing but what serving needs.

    *more* are calls that it may make besides, their numbers as in the tables; with any arguments,
    unless *choices* says something else of one.
    Needs no_new_privs, or CAP_SYS_ADMIN. Returns the number of system calls that are left.
    Raises OSError when the kernel has no filters, or this machine's numbers are not known here.
    """
    name = os.uname().machine
    machine = _MACHINES.get(name) if sys.maxsize > 1 << 32 else None
    if machine is None:
        raise OSError(errno.ENOSYS, f"the system calls of {name} are not known")
    instructions = _assemble(_program(machine, more, choices))
    program = _Filter(len(instructions) // _INSTRUCTION.size, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return len(_unconditional(machine, more, choices)) + len(_conditional(more, choices))


def _conditional(more: Calls, choices: Choices) -> Calls:
    """Return the calls that are allowed with some arguments only."""
    ours = {name: row for name, row in CONDITIONAL_CALLS.items() if name not in more}
    return {**ours, **{_label_of(name): more[name] for name in choices}}


def _unconditional(machine: _Machine, more: Calls, choices: Choices) -> list[int]:
    """Return the numbers of the calls that are allowed with any arguments."""
    others = (row for name, row in more.items() if name not in choices)
    numbers = [row[machine.column] for row in (*_CALLS.values(), *others)]
    return [number for number in numbers if number is not None]


def _program(
    machine: _Machine, more: Calls = _NO_CALLS, choices: Choices = _NO_CHOICES
) -> list[_Line]:
    """Return the program that allows the calls of both tables, and *more*."""
    conditional = [
        (name, number)
        for name, row in _conditional(more, choices).items()
        if (number := row[machine.column]) is not None
    ]
    return [
        _Line(_LOAD, _ARCHITECTURE),
        _Line(_IF_EQUAL, machine.audit, otherwise="kill"),
        _Line(_LOAD, _NUMBER),
        # With ENOSYS, glibc falls back to clone, whose flags a filter can see.
        _Line(_IF_EQUAL, _CLONE3, then="absent"),
        *(_Line(_IF_EQUAL, number, then=name) for name, number in conditional),
        *(
            _Line(_IF_EQUAL, number, then="allow")
            for number in _unconditional(machine, more, choices)
        ),
        _Line(_RETURN, _ERRNO | errno.EPERM),
        *(line for name, choice in choices.items() for line in _chosen(name, choice)),
        *_conditions(),
        _Line(_RETURN, _ERRNO | errno.EPERM, label="refuse"),
        _Line(_RETURN, _ALLOW, label="allow"),
        _Line(_RETURN, _ERRNO | errno.ENOSYS, label="absent"),
        _Line(_RETURN, _KILL_PROCESS, label="kill"),
    ]


def _label_of(name: str) -> str:
    """Return the label of what _chosen() has for the call *name*, which may be another one too."""
    return f"{name} by choice"


def _chosen(name: str, choice: Choice) -> Iterator[_Line]:
    """Yield what allows the call *name* with the values of *choice*."""
    yield _Line(_LOAD, _FIRST_ARGUMENT + 8 * choice.argument, label=_label_of(name))
    for value in choice.values:
        yield _Line(_IF_EQUAL, value, then="allow")
    yield _Line(_RETURN, _ERRNO | errno.EPERM)


def _conditions() -> list[_Line]:
    """Return what decides on each of the conditional calls, which are labels.

    They may make threads, ask how a descriptor was opened and how wide a terminal is, ask for their
    own processors, and send to whom a socket is connected, the system log: an address could be
    anybody's. Commands, flags and pids are ints, of which the kernel drops the upper half.
    """
    return [
        _Line(_LOAD, _FIRST_ARGUMENT, label="clone"),
        _Line(_IF_ANY_BIT, ~_FLAGS_OF_THREADS & 0xFFFFFFFF, then="refuse"),
        _Line(_IF_ANY_BIT, _CLONE_THREAD, then="allow", otherwise="refuse"),
        _Line(_LOAD, _SECOND_ARGUMENT, label="fcntl"),
        _Line(_IF_EQUAL, _F_GETFD, then="allow"),
        _Line(_IF_EQUAL, _F_GETFL, then="allow"),
        _Line(_IF_EQUAL, _F_SETFL, otherwise="refuse"),
        _Line(_LOAD, _THIRD_ARGUMENT),
        _Line(_IF_EQUAL, os.O_NONBLOCK, then="allow", otherwise="refuse"),
        _Line(_LOAD, _SECOND_ARGUMENT, label="ioctl"),
        _Line(_IF_EQUAL, _TCGETS, then="allow"),
        _Line(_IF_EQUAL, _TIOCGWINSZ, then="allow", otherwise="refuse"),
        _Line(_LOAD, _FIRST_ARGUMENT, label="sched_getaffinity"),
        _Line(_IF_EQUAL, 0, then="allow", otherwise="refuse"),
        _Line(_LOAD, _FIFTH_ARGUMENT, label="sendto"),
        _Line(_IF_EQUAL, 0, otherwise="refuse"),
        _Line(_LOAD, _FIFTH_ARGUMENT_UPPER_HALF),
        _Line(_IF_EQUAL, 0, then="allow", otherwise="refuse"),
    ]


def _assemble(lines: list[_Line]) -> bytes:
    """Return *lines* as struct sock_filter has them. A jump says how many lines to skip."""
    places = {line.label: place for place, line in enumerate(lines)}
    instructions: list[bytes] = []
    for place, line in enumerate(lines):
        then, otherwise = (
            places[label] - place - 1 if label else 0 for label in (line.then, line.otherwise)
        )
        instructions.append(_INSTRUCTION.pack(line.opcode, then, otherwise, line.operand))
    return b"".join(instructions)
