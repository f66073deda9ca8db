"""Kernel trees to pack: a real one, made once per machine, and small ones made by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="session")
def kernel_trees() -> kernel.Trees:
    """A real kernel's trees. Not to be changed."""
    if missing := kernel.missing_parts():
        pytest.skip(f"not installed: {', '.join(missing)}")
    return kernel.kernel_trees()


class SmallTree(Protocol):
    """Makes a small configured kernel tree with more *files*, by their paths."""

    def __call__(
        self, name: str = "linux", files: Mapping[str, str] | None = None, version: str = "6.1.7"
    ) -> Path: ...


SMALL_TREE = {
    "Makefile": "include arch/x86/Makefile\n",
    "arch/arm64/include/asm/page.h": "#define ARM64\n",
    "arch/x86/include/asm/page.h": "#define PAGE_SHIFT 12 /* 4 KiB */\n",
    "arch/x86/include/generated/asm/generated.h": "#include <asm-generic/io.h>\n",
    "arch/x86/kernel/private.h": "not for others\n",
    "include/asm-generic/io.h": "/* SPDX-License-Identifier: GPL-2.0 */\n#include <asm/page.h>\n",
    "include/generated/autoconf.h": "/*\n * Linux/x86 {version} Kernel Configuration\n */\n",
    "include/generated/uapi/linux/version.h": "#define LINUX_VERSION_CODE {code}\n",
    "include/generated/utsrelease.h": '#define UTS_RELEASE "{version}-test"\n',
    "include/generated/utsversion.h": '#define UTS_VERSION "#1 just now"\n',
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
    "include/linux/sched.h": "#include <linux/kconfig.h>\nstruct task_struct;\n",
    "include/linux/sched.c": "no header\n",
}


@pytest.fixture
def small_tree(tmp_path: Path) -> SmallTree:
    """Make small kernel trees below the test's own directory."""

    def make(
        name: str = "linux", files: Mapping[str, str] | None = None, version: str = "6.1.7"
    ) -> Path:
        major, minor, patch = map(int, version.split("."))
        code = str(major << 16 | minor << 8 | patch)
        for path, text in {**SMALL_TREE, **(files or {})}.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{version}", version).replace("{code}", code))
        return tmp_path / name

    return make


def list_tar(archive: Path) -> list[str]:
    """Return what GNU tar lists, and check that it has nothing to complain of."""
    done = subprocess.run(
        ["tar", "-tf", archive],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()
