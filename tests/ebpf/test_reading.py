"""tools/matrix's survey of headers, on a small tree with one header of each kind."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from kernel_matrix.reading import Survey, survey

if TYPE_CHECKING:
    from pathlib import Path

HEADERS = {
    "arch/x86/include/asm/page.h": "#define PAGE_SHIFT 12\n",
    "include/generated/autoconf.h": "".join(
        f"#define CONFIG_{symbol} 1\n" for symbol in ("X86", "X86_64", "64BIT")
    ),
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
    "include/linux/compiler_types.h": "#define __user\n",
    "include/linux/assembly.h": 'static inline void cli(void) { asm volatile("cli" ::: "cc"); }\n',
    "include/linux/incomplete.h": "struct incomplete { struct unknown member; };\n",
    # Spelled so, our header does not replace it.
    "include/linux/machine.h": 'static inline void in(int x) { __asm("" : "=a"(x)); }\n',
    "include/linux/missing.h": "#include <linux/not-there.h>\n",
    "include/linux/plain.h": "struct plain { int member; };\n",
}


def test_only_what_the_machine_reads_is_counted_and_what_bpf_refuses_is_named(
    tmp_path: Path,
) -> None:
    if shutil.which("clang") is None:
        pytest.skip("not installed: clang")
    for name, text in HEADERS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    read = ["linux/assembly.h", "linux/compiler_types.h", "linux/kconfig.h"]
    error = "include/linux/machine.h: invalid output constraint '=a' in asm"
    assert survey(tmp_path, "clang", ["clang"]) == Survey(
        arch="x86",
        headers=7,
        native=[*read, "linux/machine.h", "linux/plain.h"],
        refused={"clang": {"linux/machine.h": error}},
    )
