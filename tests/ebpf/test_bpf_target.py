"""bpf_target.h by itself, for every architecture: what clang then accepts, and what it refuses.

The asm statements are of the kinds that the kernel's headers contain; no clang for the bpf
target takes them as they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from kheadersfs.bpf import toolchain

HEADER = Path(toolchain.__file__).with_name("bpf_target.h")
REFUSAL = "inline assembly of the kernel cannot run in a BPF program"


def macros(target: str, *flags: str) -> dict[str, str]:
    """Return what clang has defined when it begins to read a program."""
    words = ["clang", "-target", target, *flags, "-dM", "-E", "-x", "c", "/dev/null"]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    definitions = [line.split(maxsplit=2) for line in printed.splitlines()]
    return {words[1]: " ".join(words[2:]) for words in definitions}


class Architecture(NamedTuple):
    """An architecture: the compiler's name of it, and what is set in its configuration."""

    triple: str
    symbols: str
    target: str = "bpfel"

    @property
    def options(self) -> list[str]:
        """The configuration as the compiler takes it."""
        return [f"-D{symbol}" for symbol in self.symbols.split()]

    def macros(self, *flags: str) -> dict[str, str]:
        """Return what is defined for BPF, in this configuration."""
        return macros(self.target, *self.options, *flags)

    def compile(self, text: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Compile *text* for BPF, with our header and this configuration."""
        words = ["clang", "-target", self.target, "-O2", *self.options, "-include", str(HEADER)]
        return subprocess.run(
            [*words, *flags, "-x", "c", "-", "-o", "-"],
            check=False,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
        )


X86 = Architecture("x86_64-linux-gnu", "CONFIG_X86=1 CONFIG_X86_64=1 CONFIG_64BIT=1")
X86_32 = Architecture("i386-linux-gnu", "CONFIG_X86=1 CONFIG_X86_32=1")
ARM64 = Architecture("aarch64-linux-gnu", "CONFIG_ARM64=1 CONFIG_64BIT=1")
ARM64_BIG_ENDIAN = Architecture(
    "aarch64_be-linux-gnu", "CONFIG_ARM64=1 CONFIG_64BIT=1 CONFIG_CPU_BIG_ENDIAN=1", "bpfeb"
)
ARM = Architecture("armv7-linux-gnueabihf", "CONFIG_ARM=1")
ARM_BIG_ENDIAN = Architecture(
    "armebv7-linux-gnueabihf", "CONFIG_ARM=1 CONFIG_CPU_BIG_ENDIAN=1", "bpfeb"
)
RISCV = Architecture("riscv64-linux-gnu", "CONFIG_RISCV=1 CONFIG_64BIT=1")
POWERPC = Architecture("powerpc64le-linux-gnu", "CONFIG_PPC=1 CONFIG_PPC64=1 CONFIG_64BIT=1")
S390 = Architecture(
    "s390x-linux-gnu", "CONFIG_S390=1 CONFIG_64BIT=1 CONFIG_CPU_BIG_ENDIAN=1", "bpfeb"
)
MIPS = Architecture("mipsel-linux-gnu", "CONFIG_MIPS=1")
MIPS64 = Architecture(
    "mips64-linux-gnuabi64", "CONFIG_MIPS=1 CONFIG_64BIT=1 CONFIG_CPU_BIG_ENDIAN=1", "bpfeb"
)
LOONGARCH = Architecture("loongarch64-linux-gnu", "CONFIG_LOONGARCH=1 CONFIG_64BIT=1")

# clang knows LoongArch since version 16.
KNOWN_TO_CLANG = (
    *(X86, X86_32, ARM64, ARM64_BIG_ENDIAN, ARM, ARM_BIG_ENDIAN),
    *(RISCV, POWERPC, S390, MIPS, MIPS64),
)
ALL = (*KNOWN_TO_CLANG, LOONGARCH)
WITH_32_BITS = (X86_32, ARM, ARM_BIG_ENDIAN, MIPS)
WITH_ASSEMBLY_OUTSIDE_OF_FUNCTIONS = (ARM, S390, MIPS, MIPS64, LOONGARCH)

KERNEL_HEADER = r"""
register unsigned long stack_pointer asm("sp");

static inline unsigned long plain(void)
{
    unsigned long value;

    asm("mov %1,%0" : "=&D" (value) : "p" (&value), "Q" (1));
    return value;
}

static inline void with_qualifiers(void)
{
    asm volatile("cli" : : : "cc", "eax");
    __asm__ __volatile__ ("sti" : : "i" (1) : "memory");
    asm __inline volatile("lfence");
    asm __inline("sfence");
}

static inline int jumping(int key)
{
    asm goto("jmp %l[yes]" : : "i" (key) : : yes);
    asm volatile goto("jmp %l[yes]" : : "i" (key) : : yes);
    return 0;
yes:
    return 1;
}

static inline void *through_the_compiler(void)
{
    return __builtin_thread_pointer();
}

static inline unsigned long in_register(unsigned long first)
{
    register unsigned long argument asm("x0") = first;

    asm volatile("hvc #0" : "+r" (argument));
    return argument;
}

static inline __attribute__((__always_inline__)) __attribute__((const))
unsigned long first_bit(unsigned long word)
{
    unsigned long bit;

    asm("bsf %1,%0" : "=r" (bit) : "r" (word));
    return bit;
}

static inline __attribute__((__pure__))
unsigned long sum(__const__ unsigned long *words)
{
    unsigned long result;

    asm volatile("add %1,%0" : "=r" (result) : "m" (*words));
    return result;
}
"""

SIZE_CHECKS = r"""
#if __CHAR_BIT__ * __SIZEOF_LONG__ != 32 || __SIZEOF_POINTER__ != 4
#error "sizes are not the machine's"
#endif
_Static_assert(sizeof(long) == 4, "outside of functions");
struct checked { int member; _Static_assert(sizeof(void *) == 4, "in a structure"); };
#ifndef __kernel_size_t
typedef unsigned int __kernel_size_t;
#endif
extern int __builtin_memcmp(const void *one, const void *other, __kernel_size_t size);
static inline void check(void) { _Static_assert(sizeof(struct checked *) == 4, "in a function"); }
"""

# What our header defines besides what a compiler would.
NOT_OF_THE_MACHINE = ("KHEADERSFS", "KBUILD", "__HAVE_BUILTIN_BSWAP", "__kernel", "inet")

OUTSIDE_OF_FUNCTIONS = r"""
asm(".macro parse_register name register\n.endm");
asm(".syntax unified");
"""

PROGRAM = KERNEL_HEADER + "int program(int *context) { return *context; }\n"


@pytest.fixture(autouse=True)
def clang() -> None:
    if shutil.which("clang") is None:
        pytest.skip("not installed: clang")


def by_triple(architecture: Architecture) -> str:
    return architecture.triple.partition("-")[0]


@pytest.mark.parametrize("architecture", ALL, ids=by_triple)
def test_assembly_that_nobody_reaches_does_not_matter(architecture: Architecture) -> None:
    done = architecture.compile(PROGRAM, "-S")
    assert done.returncode == 0, done.stderr
    assert "program:" in done.stdout


@pytest.mark.parametrize("architecture", WITH_ASSEMBLY_OUTSIDE_OF_FUNCTIONS, ids=by_triple)
def test_assembly_outside_of_functions_does_not_matter(architecture: Architecture) -> None:
    done = architecture.compile(OUTSIDE_OF_FUNCTIONS + PROGRAM, "-c")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "call",
    [
        *("plain()", "with_qualifiers()", "jumping(1)", "in_register(2)", "through_the_compiler()"),
        *("first_bit(1)", "sum((unsigned long[]) { 1 })"),
    ],
)
@pytest.mark.parametrize("architecture", ALL, ids=by_triple)
def test_a_program_that_reaches_assembly_is_refused(architecture: Architecture, call: str) -> None:
    done = architecture.compile(f"{KERNEL_HEADER} int program(void) {{ {call}; return 0; }}", "-c")
    assert done.returncode != 0
    assert REFUSAL in done.stderr


@pytest.mark.parametrize("architecture", WITH_ASSEMBLY_OUTSIDE_OF_FUNCTIONS, ids=by_triple)
def test_assembly_outside_of_functions_hides_none_that_is_reached(
    architecture: Architecture,
) -> None:
    text = f"{OUTSIDE_OF_FUNCTIONS} {KERNEL_HEADER} int program(void) {{ return plain(); }}"
    done = architecture.compile(text, "-c")
    assert done.returncode != 0
    assert REFUSAL in done.stderr


@pytest.mark.parametrize("architecture", ALL, ids=by_triple)
def test_a_program_that_reads_a_register_is_refused_by_the_compiler(
    architecture: Architecture,
) -> None:
    text = f"{KERNEL_HEADER} int program(void) {{ return stack_pointer; }}"
    done = architecture.compile(text, "-c", "-fno-crash-diagnostics")
    assert done.returncode != 0
    assert "Named registers not implemented for this target" in done.stderr


def test_a_program_may_have_assembly_of_its_own() -> None:
    assembly = '__asm __volatile("%0 += 7" : "+r"(a))'
    text = f"int program(int a) {{ {assembly}; barrier(); return a; }}"
    done = X86.compile(text, "-S")
    assert "+= 7" in done.stdout, done.stderr


@pytest.mark.parametrize("architecture", KNOWN_TO_CLANG, ids=by_triple)
def test_what_is_predefined_is_what_the_compiler_for_the_machine_predefines(
    architecture: Architecture,
) -> None:
    ours = architecture.macros("-include", str(HEADER), "-Wno-#warnings")
    names = ours.keys() - architecture.macros().keys()
    names = {name for name in names if not name.startswith(NOT_OF_THE_MACHINE) and "(" not in name}
    machine = macros(architecture.triple)
    assert names
    assert {name: ours[name] for name in names} == {
        name: machine.get(machine[name], machine[name]) for name in names
    }


@pytest.mark.parametrize("architecture", KNOWN_TO_CLANG, ids=by_triple)
def test_headers_are_told_of_a_big_endian_machine_as_its_compiler_tells_them(
    architecture: Architecture,
) -> None:
    ours = architecture.macros("-include", str(HEADER), "-Wno-#warnings")
    big_endian = re.compile("__[A-Z0-9]+EB__")
    assert set(filter(big_endian.fullmatch, ours)) == set(
        filter(big_endian.fullmatch, macros(architecture.triple))
    )


@pytest.mark.parametrize("architecture", ALL, ids=by_triple)
def test_the_wrong_byte_order_is_refused(architecture: Architecture) -> None:
    wrong = {"bpfel": "bpfeb", "bpfeb": "bpfel"}[architecture.target]
    done = architecture._replace(target=wrong).compile(PROGRAM, "-S")
    assert done.returncode != 0
    assert f"compile with -target {architecture.target}" in done.stderr


@pytest.mark.parametrize("architecture", WITH_32_BITS, ids=by_triple)
def test_the_sizes_that_a_32_bit_kernel_asserts_do_not_matter(architecture: Architecture) -> None:
    done = architecture.compile(SIZE_CHECKS + PROGRAM, "-S")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("architecture", WITH_32_BITS, ids=by_triple)
def test_a_32_bit_kernel_is_warned_of(architecture: Architecture) -> None:
    assert "use CO-RE" in architecture.compile(PROGRAM, "-S").stderr


def test_a_64_bit_kernel_is_not_warned_of() -> None:
    assert X86.compile(PROGRAM, "-S").stderr == ""
