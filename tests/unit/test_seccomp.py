"""The filter's program for every architecture, run here as the kernel would run it."""

from __future__ import annotations

import errno
import struct
from functools import cache

import pytest

from kheadersfs.sandbox import seccomp

ALLOWED, REFUSED = 0x7FFF0000, 0x00050000 | errno.EPERM
ABSENT, KILLED = 0x00050000 | errno.ENOSYS, 0x80000000
# Numbers of Linux's own tables.
FCNTL = {"x86_64": 72, "aarch64": 25, "riscv64": 25, "loongarch64": 25}
IOCTL = {"x86_64": 16, "aarch64": 29, "riscv64": 29, "loongarch64": 29}
CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "loongarch64": 220}
SENDTO = {"x86_64": 44, "aarch64": 206, "riscv64": 206, "loongarch64": 206}
GETAFFINITY = {"x86_64": 204, "aarch64": 123, "riscv64": 123, "loongarch64": 123}
ELF_MACHINE = {"x86_64": 62, "aarch64": 183, "riscv64": 243, "loongarch64": 258}
UPPER = 1 << 32

machines = pytest.mark.parametrize("machine", FCNTL)


@cache
def instructions_of(machine: str) -> list[tuple[int, int, int, int]]:
    program = seccomp._assemble(seccomp._program(seccomp._MACHINES[machine]))
    return [(a, b, c, d) for a, b, c, d in struct.iter_unpack("<HBBI", program)]


def run_filter(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Return what the filter says of the system call *number* with *arguments*."""
    audit = 0xC0000000 | ELF_MACHINE[machine] if arch is None else arch
    six = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, audit, 0, *six)
    instructions = instructions_of(machine)
    place = accumulator = 0
    while True:
        opcode, then, otherwise, operand = instructions[place]
        place += 1
        if opcode == 0x20:
            [accumulator] = struct.unpack_from("<I", data, operand)
        elif opcode == 0x15:
            place += then if accumulator == operand else otherwise
        elif opcode == 0x45:
            place += then if accumulator & operand else otherwise
        else:
            assert opcode == 0x06
            result: int = operand
            return result


@machines
def test_fcntl_tells_how_a_descriptor_was_opened_and_makes_one_not_block(machine: str) -> None:
    def allowed(*argument: int) -> set[int]:
        call = FCNTL[machine]
        commands = range(2048)
        return {n for n in commands if run_filter(machine, call, 0, n, *argument) == ALLOWED}

    signals, does_not_block = 0o20000, 0o4000
    assert allowed() == {1, 3}
    assert allowed(signals) == allowed(signals | does_not_block) == {1, 3}
    assert allowed(does_not_block) == {1, 3, 4}
    # The kernel drops the upper half.
    assert run_filter(machine, FCNTL[machine], 0, UPPER | 8) == REFUSED
    assert run_filter(machine, FCNTL[machine], 0, UPPER - 1) == REFUSED


@machines
def test_ioctl_only_asks_a_terminal(machine: str) -> None:
    requests = range(0x5400, 0x9000)
    allowed = {
        request
        for request in requests
        if run_filter(machine, IOCTL[machine], 0, request) == ALLOWED
    }
    assert allowed == {0x5401, 0x5413}
    assert run_filter(machine, IOCTL[machine], 0, UPPER | 0x5412) == REFUSED


@machines
def test_clone_makes_threads_and_nothing_else(machine: str) -> None:
    glibc, musl = 0x3D0F00, 0x7D0F00
    assert run_filter(machine, CLONE[machine], glibc) == ALLOWED
    assert run_filter(machine, CLONE[machine], musl) == ALLOWED
    fork, signal_at_end, namespace, traced = 0x1200011, 9, 0x10000000, 0x2000
    assert run_filter(machine, CLONE[machine], fork) == REFUSED
    for more in (signal_at_end, namespace, traced):
        assert run_filter(machine, CLONE[machine], glibc | more) == REFUSED
    assert run_filter(machine, 435) == ABSENT


@machines
def test_only_its_own_processors_can_be_asked_for(machine: str) -> None:
    assert run_filter(machine, GETAFFINITY[machine], 0) == ALLOWED
    assert run_filter(machine, GETAFFINITY[machine], 1) == REFUSED


@machines
def test_only_to_a_connected_socket_can_be_sent(machine: str) -> None:
    assert run_filter(machine, SENDTO[machine], 3, 1, 1, 0, 0, 0) == ALLOWED
    assert run_filter(machine, SENDTO[machine], 3, 1, 1, 0, 1, 0) == REFUSED
    assert run_filter(machine, SENDTO[machine], 3, 1, 1, 0, UPPER, 0) == REFUSED


@machines
def test_calls_that_nobody_listed_are_refused(machine: str) -> None:
    """With arguments of which a conditional call allows each."""
    allowed = {number for number in range(1024) if run_filter(machine, number) == ALLOWED}
    column = seccomp._MACHINES[machine].column
    listed = {row[column] for row in seccomp._CALLS.values()} - {None}
    assert allowed == listed | {SENDTO[machine], GETAFFINITY[machine]}
    x32 = 0x40000000
    assert {run_filter(machine, x32 | number) for number in range(600)} == {REFUSED}


@machines
def test_system_calls_of_another_architecture_end_the_process(machine: str) -> None:
    i386 = 0x40000003
    assert run_filter(machine, 1, arch=i386) == KILLED
