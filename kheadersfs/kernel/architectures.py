"""The table of architectures: what each is called, and by whom, and what its headers need.

They go by the name of their directory below ``arch/`` in the kernel's sources, its ``SRCARCH``.
"""

from __future__ import annotations

from kheadersfs.records import Record


class Architecture(Record):
    """One architecture.

    ``symbol`` is set in the configuration of every kernel of it, and of no other. ``machines`` are
    how the names begin that uname(2) has for it. ``aliases`` are values of the kernel's ``ARCH``
    that stand for it too ("Additional ARCH settings" of its Makefile).

    What its own makefiles derive from the configuration is here by symbol: of ``defines``, flags of
    the compiler, the last whose symbol is set counts; ``boards`` are directories below its
    ``include/asm``, without ``mach-``. ``uses_compiler_header`` tells that its headers include one
    that comes with the compiler.
    """

    name: str
    symbol: bytes
    machines: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    defines: tuple[tuple[str, str], ...] = ()
    boards: tuple[tuple[str, str], ...] = ()
    uses_compiler_header: bool = False


# From arch/arm/Makefile, arch/arm64/Makefile and arch/mips/sibyte/Platform, in their order.
_ARM_DEFINES = (
    ("CONFIG_CPU_32v7M", "-D__LINUX_ARM_ARCH__=7"),
    ("CONFIG_CPU_32v7", "-D__LINUX_ARM_ARCH__=7"),
    ("CONFIG_CPU_32v6", "-D__LINUX_ARM_ARCH__=6"),
    ("CONFIG_CPU_32v5", "-D__LINUX_ARM_ARCH__=5"),
    ("CONFIG_CPU_32v4T", "-D__LINUX_ARM_ARCH__=4"),
    ("CONFIG_CPU_32v4", "-D__LINUX_ARM_ARCH__=4"),
    ("CONFIG_CPU_32v3", "-D__LINUX_ARM_ARCH__=3"),
)
_ARM64_DEFINES = (
    ("CONFIG_KASAN_SW_TAGS", "-DKASAN_SHADOW_SCALE_SHIFT=4"),
    ("CONFIG_KASAN_GENERIC", "-DKASAN_SHADOW_SCALE_SHIFT=3"),
)
_MIPS_DEFINES = (
    ("CONFIG_SIBYTE_BCM112X", "-DSIBYTE_HDR_FEATURES=SIBYTE_HDR_FMASK_1250_112x_ALL"),
    ("CONFIG_SIBYTE_SB1250", "-DSIBYTE_HDR_FEATURES=SIBYTE_HDR_FMASK_1250_112x_ALL"),
    ("CONFIG_SIBYTE_BCM1x55", "-DSIBYTE_HDR_FEATURES=SIBYTE_HDR_FMASK_1480_ALL"),
    ("CONFIG_SIBYTE_BCM1x80", "-DSIBYTE_HDR_FEATURES=SIBYTE_HDR_FMASK_1480_ALL"),
)
# From arch/mips/*/Platform; those of one board in the order of its file.
_MIPS_BOARDS = (
    ("CONFIG_AR7", "ar7"),
    ("CONFIG_ATH25", "ath25"),
    ("CONFIG_ATH79", "ath79"),
    ("CONFIG_BCM47XX", "bcm47xx"),
    ("CONFIG_BCM63XX", "bcm63xx"),
    ("CONFIG_BMIPS_GENERIC", "bmips"),
    ("CONFIG_CAVIUM_OCTEON_SOC", "cavium-octeon"),
    ("CONFIG_LANTIQ", "lantiq"),
    ("CONFIG_SOC_TYPE_XWAY", "lantiq/xway"),
    ("CONFIG_SOC_FALCON", "lantiq/falcon"),
    ("CONFIG_MACH_DECSTATION", "dec"),
    ("CONFIG_MACH_INGENIC_SOC", "ingenic"),
    ("CONFIG_MACH_JAZZ", "jazz"),
    ("CONFIG_MACH_LOONGSON2EF", "loongson2ef"),
    ("CONFIG_MACH_LOONGSON32", "loongson32"),
    ("CONFIG_MACH_LOONGSON64", "loongson64"),
    ("CONFIG_MACH_NINTENDO64", "n64"),
    ("CONFIG_MACH_TX49XX", "tx49xx"),
    ("CONFIG_MIKROTIK_RB532", "rc32434"),
    ("CONFIG_MIPS_DB1XXX", "db1x00"),
    ("CONFIG_MIPS_ALCHEMY", "au1x00"),
    ("CONFIG_MIPS_COBALT", "cobalt"),
    ("CONFIG_MIPS_MALTA", "malta"),
    ("CONFIG_PIC32MZDA", "pic32"),
    ("CONFIG_RALINK", "ralink"),
    ("CONFIG_SOC_RT288X", "ralink/rt288x"),
    ("CONFIG_SOC_RT305X", "ralink/rt305x"),
    ("CONFIG_SOC_RT3883", "ralink/rt3883"),
    ("CONFIG_SOC_MT7620", "ralink/mt7620"),
    ("CONFIG_SOC_MT7621", "ralink/mt7621"),
    ("CONFIG_SGI_IP22", "ip22"),
    ("CONFIG_SGI_IP27", "ip27"),
    ("CONFIG_SGI_IP28", "ip28"),
    ("CONFIG_SGI_IP30", "ip30"),
    ("CONFIG_SGI_IP32", "ip32"),
    ("CONFIG_SIBYTE_BCM112X", "sibyte"),
    ("CONFIG_SIBYTE_SB1250", "sibyte"),
    ("CONFIG_SIBYTE_BCM1x55", "sibyte"),
    ("CONFIG_SIBYTE_BCM1x80", "sibyte"),
    ("CONFIG_SNI_RM", "rm"),
)

KNOWN = (
    Architecture(
        "x86", b"CONFIG_X86", ("x86_64", "i386", "i486", "i586", "i686"), ("i386", "x86_64")
    ),
    Architecture("arm64", b"CONFIG_ARM64", ("aarch64",), defines=_ARM64_DEFINES),
    # arm64 kernels do not set CONFIG_ARM.
    Architecture("arm", b"CONFIG_ARM", ("arm",), defines=_ARM_DEFINES),
    Architecture("riscv", b"CONFIG_RISCV", ("riscv",)),
    # CONFIG_PPC is set for 32 and for 64 bits.
    Architecture("powerpc", b"CONFIG_PPC", ("ppc",)),
    Architecture("s390", b"CONFIG_S390", ("s390",)),
    Architecture("mips", b"CONFIG_MIPS", ("mips",), defines=_MIPS_DEFINES, boards=_MIPS_BOARDS),
    Architecture("loongarch", b"CONFIG_LOONGARCH", ("loongarch",), uses_compiler_header=True),
)
"""The architectures whose headers are understood here."""
_NAME_OF_SYMBOL = {known.symbol: known.name for known in KNOWN}
_OTHER_ALIASES = {"sparc32": "sparc", "sparc64": "sparc", "parisc64": "parisc", "sh64": "sh"}
"""Other names of architectures whose headers are packed without being understood."""


def architecture(name: str) -> Architecture:
    """Return what is known of the architecture *name*, which may be nothing but that."""
    unknown = Architecture(name, b"", ())
    return next((known for known in KNOWN if known.name == name), unknown)


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
