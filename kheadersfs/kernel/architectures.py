"""The table of architectures: what each is called, and by whom.

They go by the name of their directory below ``arch/`` in the kernel's sources, its ``SRCARCH``.
Flags of one architecture alone are in bpf/toolchain.py.
"""

from __future__ import annotations

from kheadersfs.records import Record


class Architecture(Record):
    """One architecture.

    ``symbol`` is set in the configuration of every kernel of it, and of no other. ``machines`` are
    how the names begin that uname(2) has for it. ``aliases`` are values of the kernel's ``ARCH``
    that stand for it too ("Additional ARCH settings" of its Makefile).
    """

    name: str
    symbol: bytes
    machines: tuple[str, ...]
    aliases: tuple[str, ...] = ()


KNOWN = (
    Architecture(
        "x86", b"CONFIG_X86", ("x86_64", "i386", "i486", "i586", "i686"), ("i386", "x86_64")
    ),
    Architecture("arm64", b"CONFIG_ARM64", ("aarch64",)),
    # It is not set in arm64 kernels.
    Architecture("arm", b"CONFIG_ARM", ("arm",)),
    Architecture("riscv", b"CONFIG_RISCV", ("riscv",)),
    # It covers 32 and 64 bits.
    Architecture("powerpc", b"CONFIG_PPC", ("ppc",)),
    Architecture("s390", b"CONFIG_S390", ("s390",)),
    Architecture("mips", b"CONFIG_MIPS", ("mips",)),
    Architecture("loongarch", b"CONFIG_LOONGARCH", ("loongarch",)),
)
"""Those whose headers are understood here."""
_NAME_OF_SYMBOL = {known.symbol: known.name for known in KNOWN}
_OTHER_ALIASES = {"sparc32": "sparc", "sparc64": "sparc", "parisc64": "parisc", "sh64": "sh"}
"""The same for kernels that are packed without being understood."""


def arch_of_symbol(symbol: bytes) -> str | None:
    """Return the architecture in whose kernels the configuration *symbol* is set."""
    return _NAME_OF_SYMBOL.get(symbol)  # asked for each of thousands of lines


def arch_of_machine(machine: str) -> str:
    """Return the architecture for what ``uname -m`` prints; that itself if it is not known."""
    return next((known.name for known in KNOWN if machine.startswith(known.machines)), machine)


def srcarch_of(arch: str) -> str:
    """Return ``SRCARCH`` for *arch*, a value of the kernel's ``ARCH``."""
    found = next((known.name for known in KNOWN if arch in known.aliases), arch)
    return _OTHER_ALIASES.get(found, found)
