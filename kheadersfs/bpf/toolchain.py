"""What bcc, bpftrace, clang and gcc have to be told to use the kernel headers in a directory.

The compiler flags are those of the kernel's own makefiles (``LINUXINCLUDE`` in
``Makefile``, ``KBUILD_CPPFLAGS`` in ``arch/*/Makefile``) as far as they decide
which headers are found and how they are read. What only changes the generated
code is left to whoever compiles.
"""

from __future__ import annotations

import os

from kheadersfs.errors import UsageError, reason
from kheadersfs.kernel.architectures import architecture
from kheadersfs.kernel.release import CONFIGURATION_HEADER, headers_arch
from kheadersfs.mount.mountpoint import require_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kheadersfs.kernel.architectures import Architecture

# Included before anything else, in the kernel's order. The first came with 5.14, the
# last with 4.18; a tree has those that its version needs.
_INCLUDED_FIRST = ("linux/compiler-version.h", "linux/kconfig.h")
_INCLUDED_LAST = ("linux/compiler_types.h",)

# Since 5.16 the kernel has its own stdarg.h; before, it took the compiler's.
_OWN_STDARG = "include/linux/stdarg.h"

# This directory has bpf_target.h, which lets clang read a kernel's headers for the bpf target, and
# larchintrin.h, which is used instead of the compiler's.
_OWN_HEADERS = os.path.dirname(os.path.abspath(__file__))

# x86's headers are an error without it where functions can be traced, as in all distributions.
_TRACED = frozenset(("CONFIG_FUNCTION_TRACER", "CONFIG_HAVE_FENTRY"))
_TRACED_DEFINE = "-DCC_USING_FENTRY"


def environment(directory: str) -> dict[str, str]:
    """Return the variables by which bcc, bpftrace and makefiles find headers in *directory*."""
    path = os.path.abspath(directory)
    return {
        "BCC_KERNEL_SOURCE": path,
        "BPFTRACE_KERNEL_SOURCE": path,
        "BPFTRACE_KERNEL_BUILD": path,
        "KHEADERS": path,
    }


def shell_exports(variables: Mapping[str, str]) -> str:
    """Return *variables* as lines of ``export`` for ``eval`` in any POSIX shell."""
    return "".join(
        "export {}='{}'\n".format(name, value.replace("'", "'\\''"))
        for name, value in variables.items()
    )


def cflags(directory: str, arch: str | None = None, bpf: bool = False) -> list[str]:
    """Return what gcc or clang needs to compile against the kernel headers in *directory*.

    *arch* is a directory below ``arch/``, by default the one that the headers were
    configured for. With *bpf* the flags are for ``clang -target bpf``: a header of ours
    stands in for what that target lacks, and the kernel's headers count as system
    headers, whose warnings are not the program's.

    Raises UsageError if there are no kernel headers, or none of that architecture.
    """
    root = os.path.abspath(directory)
    require_headers(directory)
    symbols = _configuration(root)
    arch = arch or _detected_arch(root, symbols)
    is_name = arch not in (".", "..") and "/" not in arch
    if not is_name or not os.path.isdir(os.path.join(root, "arch", arch, "include")):
        raise UsageError(f"{directory} has no headers for {arch}: see {root}/arch for what it has")

    known = architecture(arch)
    include = "-isystem" if bpf else "-I"
    flags = [include + path for path in _include_directories(root, known, symbols)]
    if known.uses_compiler_header and bpf:
        flags.append(include + _OWN_HEADERS)
    if os.path.isfile(os.path.join(root, _OWN_STDARG)) and (bpf or not known.uses_compiler_header):
        flags.append("-nostdinc")
    flags += _forced(root, _INCLUDED_FIRST)
    if bpf:
        flags += ["-include", os.path.join(_OWN_HEADERS, "bpf_target.h")]
    flags += _forced(root, _INCLUDED_LAST)
    flags.append("-D__KERNEL__")
    if bpf:
        flags += ["-D__BPF_TRACING__", f"-D__TARGET_ARCH_{arch}"]
    flags += [flag for symbol, flag in known.defines if symbol in symbols][-1:]
    if symbols >= _TRACED:
        flags.append(_TRACED_DEFINE)
    # Since 6.19 headers embed structures by their tags; older ones do not mind the flag.
    return [*flags, "-std=gnu11", "-fms-extensions", "-fshort-wchar"]


def _configuration(root: str) -> frozenset[str]:
    """Return the configuration symbols that are switched on in the headers below *root*."""
    path = os.path.join(root, CONFIGURATION_HEADER)
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            words = [line.split() for line in stream]
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error
    return frozenset(line[1] for line in words if line[:1] == ["#define"] and line[2:] == ["1"])


def _detected_arch(root: str, symbols: frozenset[str]) -> str:
    """Return what the headers were configured for or, unconfigured, the only one there is.

    Raises UsageError.
    """
    arch = headers_arch("".join(f"{symbol}=y\n" for symbol in symbols).encode())
    if arch is not None:
        return arch
    directory = os.path.join(root, "arch")
    try:
        with os.scandir(directory) as entries:
            present = [entry.name for entry in entries if entry.is_dir()]
    except OSError as error:
        raise UsageError(
            f"cannot list {directory}: {reason(error)}; name a directory of whole kernel headers"
        ) from error
    if len(present) != 1:
        raise UsageError(f"{root} is configured for no architecture that we know: pass --arch")
    return present[0]


def _include_directories(root: str, known: Architecture, symbols: frozenset[str]) -> list[str]:
    """Return the directories to search, in the kernel's order, as far as they exist."""
    below_arch = os.path.join("arch", known.name, "include")
    directories = [
        below_arch,
        os.path.join(below_arch, "generated"),
        "include",
        os.path.join(below_arch, "uapi"),
        os.path.join(below_arch, "generated/uapi"),
        "include/uapi",
        "include/generated/uapi",
    ]
    if known.boards:
        boards = [board for symbol, board in known.boards if symbol in symbols]
        directories += [
            os.path.join(below_arch, f"asm/mach-{name}") for name in [*boards, "generic"]
        ]
    paths = [os.path.join(root, directory) for directory in directories]
    return [path for path in paths if os.path.isdir(path)]


def _forced(root: str, headers: tuple[str, ...]) -> list[str]:
    """Return the flags that include those of *headers* which the tree has."""
    paths = [os.path.join(root, "include", header) for header in headers]
    return [word for path in paths if os.path.isfile(path) for word in ("-include", path)]
