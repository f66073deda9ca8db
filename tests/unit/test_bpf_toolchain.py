from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from kheadersfs.bpf import toolchain
from kheadersfs.bpf.toolchain import cflags, environment, shell_exports
from kheadersfs.errors import UsageError

SHIM = Path(toolchain.__file__).with_name("bpf_target.h")


def write(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def make_tree(root: Path, *arches: str, configured: str = "") -> Path:
    """Make a tree with headers of *arches*; *configured* are symbols that are switched on."""
    for header in ("compiler-version.h", "kconfig.h", "compiler_types.h", "stdarg.h"):
        write(root / "include/linux" / header)
    (root / "include/uapi").mkdir()
    for arch in arches:
        for directory in ("asm", "uapi", "generated/uapi"):
            (root / "arch" / arch / "include" / directory).mkdir(parents=True)
    if configured:
        lines = [f"#define {symbol} 1\n" for symbol in configured.split()]
        write(root / "include/generated/autoconf.h", "".join(lines))
    return root


def searched(flags: list[str], root: Path) -> list[str]:
    """Return the directories below *root* that *flags* have searched, relative to it."""
    directories = [Path(flag[2:]) for flag in flags if flag.startswith("-I")]
    directories += [Path(flag[8:]) for flag in flags if flag.startswith("-isystem")]
    return [str(path.relative_to(root)) for path in directories if path.is_relative_to(root)]


def forced(flags: list[str]) -> list[str]:
    return [Path(header).name for flag, header in pairwise(flags) if flag == "-include"]


def test_every_tool_is_pointed_at_the_same_absolute_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert environment("headers") == dict.fromkeys(
        ("BCC_KERNEL_SOURCE", "BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD", "KHEADERS"),
        str(tmp_path / "headers"),
    )


@pytest.mark.parametrize("name", ["plain", "two words", "it's", '$HOME `id` "x" \\', "line\nbreak"])
def test_a_shell_reads_back_what_was_exported(tmp_path: Path, name: str) -> None:
    exports = shell_exports({"KHEADERS": name})
    result = subprocess.run(
        ["sh", "-c", f"{exports}sh -c 'printf %s \"$KHEADERS\"'"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout == name


def test_directories_and_headers_come_in_the_order_of_the_kernels_makefile(tmp_path: Path) -> None:
    flags = cflags(str(make_tree(tmp_path, "x86", configured="CONFIG_X86")))
    assert searched(flags, tmp_path) == [
        "arch/x86/include",
        "arch/x86/include/generated",
        "include",
        "arch/x86/include/uapi",
        "arch/x86/include/generated/uapi",
        "include/uapi",
    ]
    assert forced(flags) == ["compiler-version.h", "kconfig.h", "compiler_types.h"]
    assert "-nostdinc" in flags
    assert "-D__KERNEL__" in flags


def test_for_bpf_our_header_comes_after_the_configuration(tmp_path: Path) -> None:
    flags = cflags(str(make_tree(tmp_path, "x86", configured="CONFIG_X86")), bpf=True)
    assert forced(flags) == ["compiler-version.h", "kconfig.h", SHIM.name, "compiler_types.h"]
    assert {"-D__BPF_TRACING__", "-D__TARGET_ARCH_x86"} <= set(flags)
    assert not [flag for flag in flags if flag.startswith("-I")]


def test_headers_that_a_version_does_not_have_are_not_included(tmp_path: Path) -> None:
    make_tree(tmp_path, "x86", configured="CONFIG_X86")
    (tmp_path / "include/linux/compiler-version.h").unlink()
    assert forced(cflags(str(tmp_path))) == ["kconfig.h", "compiler_types.h"]


def test_a_kernel_without_stdarg_of_its_own_takes_the_compilers(tmp_path: Path) -> None:
    make_tree(tmp_path, "x86", configured="CONFIG_X86")
    (tmp_path / "include/linux/stdarg.h").unlink()
    assert "-nostdinc" not in cflags(str(tmp_path))


@pytest.mark.parametrize(
    ("symbol", "arch"),
    [
        ("CONFIG_X86", "x86"),
        ("CONFIG_ARM64", "arm64"),
        ("CONFIG_ARM", "arm"),
        ("CONFIG_RISCV", "riscv"),
        ("CONFIG_PPC", "powerpc"),
        ("CONFIG_S390", "s390"),
        ("CONFIG_MIPS", "mips"),
        ("CONFIG_LOONGARCH", "loongarch"),
    ],
)
def test_the_architecture_is_the_configured_one(tmp_path: Path, symbol: str, arch: str) -> None:
    make_tree(tmp_path, "um", arch, configured=symbol)
    assert searched(cflags(str(tmp_path)), tmp_path)[0] == f"arch/{arch}/include"


def test_an_unconfigured_tree_has_the_only_architecture_that_it_has(tmp_path: Path) -> None:
    flags = cflags(str(make_tree(tmp_path, "sparc")))
    assert searched(flags, tmp_path)[0] == "arch/sparc/include"


def test_the_architecture_can_be_chosen(tmp_path: Path) -> None:
    flags = cflags(str(make_tree(tmp_path, "x86", "arm64", configured="CONFIG_X86")), "arm64")
    assert searched(flags, tmp_path)[0] == "arch/arm64/include"


@pytest.mark.parametrize(
    ("symbols", "version"),
    [
        ("CONFIG_CPU_32v7", 7),
        ("CONFIG_CPU_32v6K CONFIG_CPU_32v7", 7),
        ("CONFIG_CPU_32v6 CONFIG_CPU_32v6K CONFIG_CPU_32v7", 6),
        ("CONFIG_CPU_32v4T CONFIG_CPU_32v5", 4),
    ],
)
def test_arm_headers_are_told_the_oldest_instruction_set_of_the_configuration(
    tmp_path: Path, symbols: str, version: int
) -> None:
    """As in the kernel's makefile, where the last of its assignments counts."""
    flags = cflags(str(make_tree(tmp_path, "arm", configured=f"CONFIG_ARM {symbols}")))
    assert [flag for flag in flags if "ARM_ARCH" in flag] == [f"-D__LINUX_ARM_ARCH__={version}"]


@pytest.mark.parametrize("bpf", [False, True])
@pytest.mark.parametrize(
    ("symbols", "told"),
    [
        ("CONFIG_X86 CONFIG_HAVE_FENTRY CONFIG_FUNCTION_TRACER", True),
        ("CONFIG_X86 CONFIG_HAVE_FENTRY", False),
        ("CONFIG_ARM64 CONFIG_FUNCTION_TRACER", False),
    ],
)
def test_headers_of_a_kernel_that_traces_functions_are_told_how_as_by_its_makefile(
    tmp_path: Path, symbols: str, told: bool, bpf: bool
) -> None:
    """x86's linux/ftrace.h, and so linux/perf_event.h, is an error without."""
    tree = make_tree(tmp_path, "x86", "arm64", configured=symbols)
    assert ("-DCC_USING_FENTRY" in cflags(str(tree), bpf=bpf)) == told


def test_mips_headers_are_found_for_the_board(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "mips", configured="CONFIG_MIPS CONFIG_MIPS_MALTA")
    for board in ("malta", "generic", "ath79"):
        (tree / f"arch/mips/include/asm/mach-{board}").mkdir()
    assert searched(cflags(str(tree)), tree)[-2:] == [
        "arch/mips/include/asm/mach-malta",
        "arch/mips/include/asm/mach-generic",
    ]


@pytest.mark.parametrize(
    ("symbols", "machines"),
    [
        ("CONFIG_RALINK CONFIG_SOC_MT7621", ["ralink", "ralink/mt7621"]),
        ("CONFIG_LANTIQ CONFIG_SOC_TYPE_XWAY", ["lantiq", "lantiq/xway"]),
        ("CONFIG_MIPS_ALCHEMY CONFIG_MIPS_DB1XXX", ["db1x00", "au1x00"]),
        ("CONFIG_SIBYTE_SB1250", ["sibyte"]),
        ("CONFIG_MIKROTIK_RB532", ["rc32434"]),
        ("CONFIG_MACH_TX49XX", ["tx49xx"]),
    ],
)
def test_mips_boards_have_their_directories_in_the_order_of_the_kernels_makefiles(
    tmp_path: Path, symbols: str, machines: list[str]
) -> None:
    tree = make_tree(tmp_path, "mips", configured=f"CONFIG_MIPS {symbols}")
    expected = [f"arch/mips/include/asm/mach-{machine}" for machine in [*machines, "generic"]]
    for directory in expected:
        (tree / directory).mkdir(parents=True)
    flags = cflags(str(tree))
    assert searched(flags, tree)[-len(expected) :] == expected
    assert any("SIBYTE_HDR_FEATURES" in flag for flag in flags) == (machines == ["sibyte"])


def test_loongarch_headers_find_the_compilers_header_that_they_use(tmp_path: Path) -> None:
    tree = str(make_tree(tmp_path, "loongarch", configured="CONFIG_LOONGARCH"))
    assert "-nostdinc" not in cflags(tree)
    for_bpf = cflags(tree, bpf=True)
    assert "-nostdinc" in for_bpf
    assert f"-isystem{SHIM.parent}" in for_bpf
    assert SHIM.with_name("larchintrin.h").is_file()


def test_a_directory_without_headers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no include/linux/kconfig\.h"):
        cflags(str(tmp_path))


@pytest.mark.parametrize("arch", ["arm64", "..", "x86/../x86"])
def test_an_architecture_that_is_not_there_is_refused(tmp_path: Path, arch: str) -> None:
    tree = make_tree(tmp_path, "x86", configured="CONFIG_X86")
    with pytest.raises(UsageError, match=f"no headers for {arch}"):
        cflags(str(tree), arch)


def test_an_ambiguous_tree_asks_for_the_architecture(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pass --arch"):
        cflags(str(make_tree(tmp_path, "x86", "arm64")))


def test_headers_of_no_architecture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot list .*/arch: No such file"):
        cflags(str(make_tree(tmp_path)))


def test_a_configuration_that_is_a_directory_is_named(tmp_path: Path) -> None:
    (make_tree(tmp_path, "x86") / "include/generated/autoconf.h").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot read"):
        cflags(str(tmp_path))
