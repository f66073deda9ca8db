"""Allow the system calls that a server needs, and no other, with a seccomp filter.

The filter is a classic BPF program that looks at the number of a system call and at its arguments.
A call that it does not allow fails with EPERM. The standard library copes with that, and for an
intruder it is no better than to be killed.

Source: seccomp(2) and Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from kheadersfs.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Calls = Mapping[str, tuple[int, int | None]]
    Choices = Mapping[str, "Choice"]

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
# Opcodes: load a word of struct seccomp_data, jump if it equals a value, jump if it has any of some
# bits, return.
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
# Offsets in struct seccomp_data. Those of arguments are of the lower half, as all these
# architectures are little-endian.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_THIRD_ARGUMENT = 32
_FIFTH_ARGUMENT, _FIFTH_ARGUMENT_UPPER_HALF = 48, 52
_CLONE_THREAD = 0x00010000
# The flags that pthread_create(3) gives to clone(2) in glibc and musl. None of them makes a
# namespace, or sets the signal that a child sends at its end.
_FLAGS_OF_THREADS = 0x007D0F00
# Commands of ioctl(2) that tell whether a descriptor is a terminal, and how wide it is.
_TCGETS, _TIOCGWINSZ = 0x5401, 0x5413
# Commands of fcntl(2) that get and set flags of a descriptor. With others a process could have the
# kernel send signals to other processes, or hold locks and leases for which these wait.
_F_GETFD, _F_GETFL, _F_SETFL = 1, 3, 4
_INSTRUCTION = struct.Struct("=HBBI")

# The calls that are allowed with any arguments: the number on x86_64, and the number of
# include/uapi/asm-generic/unistd.h, which all newer architectures share; None if it has none.
# pipe2 and splice are left out on purpose. With these libfuse would move each request through a
# pipe, which takes one more system call. When it cannot make a pipe it reads the request.
_CALLS: dict[str, tuple[int, int | None]] = {
    # These are for descriptors that are open: the archive, /dev/fuse, the log, the guardian's pipe.
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
    "close_range": (436, 436),
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
    # These are for threads, which clone makes, for time and for signals.
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


# The calls that are allowed with some arguments only, which _conditions() lists. The numbers are as
# above.
CONDITIONAL_CALLS = {
    "clone": (56, 220),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "sched_getaffinity": (204, 123),
    "sendto": (44, 206),
}
_CLONE3 = 435  # on all architectures
_NO_CALLS: Calls = {}
_NO_CHOICES: Choices = {}


class Choice(Record):
    """The values that one argument of a call may have.

    ``argument`` is its number, from 0 on. The argument is an int of C.
    """

    argument: int
    values: tuple[int, ...]


class _Machine(Record):
    """An architecture: its AUDIT_ARCH number, and its column in the tables of calls."""

    audit: int
    column: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0),
    "aarch64": _Machine(0xC00000B7, 1),
    "riscv64": _Machine(0xC00000F3, 1),
    "loongarch64": _Machine(0xC0000102, 1),
}


class _Line(Record):
    """An instruction of the filter.

    A jump goes to the line with the label ``then`` or ``otherwise``, which must come later. An
    empty one means the next line.
    """

    opcode: int
    operand: int
    then: str = ""
    otherwise: str = ""
    label: str = ""


class _Filter(ctypes.Structure):
    """``struct sock_fprog`` of include/uapi/linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict_thread(more: Calls = _NO_CALLS, choices: Choices = _NO_CHOICES) -> int:
    """Deny the calling thread, and all that it starts later, all calls that a server does not need.

    *more* has further calls that are allowed, by name with the numbers as in _CALLS. They may have
    any arguments, unless *choices* has an entry for that name.

    Needs no_new_privs, or CAP_SYS_ADMIN. Returns the number of system calls that are allowed.
    Raises OSError when the kernel has no filters, or when the architecture is not in _MACHINES.
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
    """Return the filter that allows the calls of both tables, and *more*."""
    conditional = [
        (name, number)
        for name, row in _conditional(more, choices).items()
        if (number := row[machine.column]) is not None
    ]
    return [
        _Line(_LOAD, _ARCHITECTURE),
        _Line(_IF_EQUAL, machine.audit, otherwise="kill"),
        _Line(_LOAD, _NUMBER),
        # A filter cannot see the flags of clone3, which are in memory. After ENOSYS the C library
        # calls clone, whose flags are an argument.
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
    """Return the label of the lines that _chosen() yields for the call *name*.

    The name itself may be a label of _conditions().
    """
    return f"{name} by choice"


def _chosen(name: str, choice: Choice) -> Iterator[_Line]:
    """Yield the lines that allow the call *name* with the values of *choice*."""
    yield _Line(_LOAD, _FIRST_ARGUMENT + 8 * choice.argument, label=_label_of(name))
    for value in choice.values:
        yield _Line(_IF_EQUAL, value, then="allow")
    yield _Line(_RETURN, _ERRNO | errno.EPERM)


def _conditions() -> list[_Line]:
    """Return the lines that decide on each call of CONDITIONAL_CALLS. Their labels are its name.

    - clone may make threads, but no processes.
    - fcntl may get the flags of a descriptor, and set its status flags to O_NONBLOCK.
    - ioctl may ask whether a descriptor is a terminal, and for its size.
    - sched_getaffinity may ask for the processors of this process.
    - sendto may have no address, so that it sends to where the socket is connected: the system log.

    Only the lower half of an argument is looked at where the kernel takes it as an int.
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
    """Return *lines* as an array of ``struct sock_filter``. A jump says how many lines to skip."""
    places = {line.label: place for place, line in enumerate(lines)}
    instructions: list[bytes] = []
    for place, line in enumerate(lines):
        then, otherwise = (
            places[label] - place - 1 if label else 0 for label in (line.then, line.otherwise)
        )
        instructions.append(_INSTRUCTION.pack(line.opcode, then, otherwise, line.operand))
    return b"".join(instructions)
