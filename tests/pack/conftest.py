"""Kernel trees to pack: a real one, made once per machine, and small ones made by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

from tests.conftest import REPOSITORY
from tests.support import golden, kernel
from tests.support.mounting import Outcome, run_command
from tests.support.namespace import Namespace, without_headers
from tests.support.packing import BEFORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="session")
def kernel_trees() -> kernel.Trees:
    """A real kernel's trees. Not to be changed."""
    if missing := kernel.missing_parts():
        pytest.skip(f"not installed: {', '.join(missing)}")
    return kernel.kernel_trees()


class Packed(NamedTuple):
    """An archive, what GNU tar extracts from it, and the one that the kernel's script made."""

    archive: Path
    tree: Path
    kernels: Path


def pack(*arguments: str | Path) -> None:
    """Run ``kheadersfs pack``, which has to succeed and to be quiet."""
    assert run_command("pack", *arguments) == Outcome(0, "", "")


@pytest.fixture(scope="session")
def packed(kernel_trees: kernel.Trees, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A kernel's headers as they are packed by default."""
    directory = tmp_path_factory.mktemp("packed")
    built = kernel_trees.in_tree
    made = Packed(directory / "kheaders.tar.xz", directory / "tree", built / kernel.ARCHIVE)
    pack("--srctree", built, "-o", made.archive)
    golden.extract_with_tar(made.archive, made.tree)
    return made


class SmallTree(Protocol):
    """Makes a small configured kernel tree with more *files*, by their paths."""

    def __call__(
        self, name: str = "linux", files: Mapping[str, str] | None = None, version: str = "6.1.7"
    ) -> Path: ...


SMALL_TREE = {
    "Makefile": "include $(srctree)/arch/$(SRCARCH)/Makefile\n",
    "arch/arm64/include/asm/page.h": "#define ARM64\n",
    "arch/x86/include/asm/page.h": "#define PAGE_SHIFT 12 /* 4 KiB */\n",
    "arch/x86/include/generated/asm/generated.h": "#include <asm-generic/io.h>\n",
    "arch/x86/kernel/private.h": "not for others\n",
    "include/asm-generic/io.h": "/* SPDX-License-Identifier: GPL-2.0 */\n#include <asm/page.h>\n",
    "include/generated/autoconf.h": (
        "/*\n * Linux/x86 {version} Kernel Configuration\n */\n#define CONFIG_X86 1\n"
    ),
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


class Stranger(NamedTuple):
    """An ordinary user with a directory of its own and a copy of the program."""

    directory: Path

    def pack(self, *arguments: str | Path, **settings: Any) -> subprocess.CompletedProcess[str]:
        """Run ``kheadersfs pack`` as this user; *settings* are those of Popen."""
        settings.setdefault("cwd", self.directory)
        environment = {"PYTHONPATH": str(self.directory), "PYTHONDONTWRITEBYTECODE": "1"}
        settings["env"] = {**os.environ, **environment, **settings.get("env", {})}
        return subprocess.run(
            [SYSTEM_PYTHON, "-m", "kheadersfs", "pack", *arguments],
            check=False,
            user=NOBODY,
            group=NOBODY,
            extra_groups=(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **settings,
        )


@pytest.fixture
def stranger(root: None) -> Iterator[Stranger]:
    """Another user. What it writes below its directory goes with it."""
    probe = [SYSTEM_PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not os.path.exists(SYSTEM_PYTHON) or subprocess.run(probe, check=False).returncode:
        pytest.skip("not installed: Python 3.11 or later for all users")
    # pytest's own directories are closed to others.
    directory = Path(tempfile.mkdtemp(prefix="kheadersfs-stranger-"))
    try:
        shutil.copytree(REPOSITORY / "kheadersfs", directory / "kheadersfs")
        os.chmod(directory, 0o755)
        yield Stranger(directory)
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def full_disk(root: None, tmp_path: Path) -> Iterator[Path]:
    """A file on a file system with room for little more."""
    mountpoint = tmp_path / "disk"
    mountpoint.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", mountpoint],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"kernel: {mounted.stderr.strip()}")
    try:
        output = mountpoint / "kheaders.tar.xz"
        output.write_bytes(BEFORE)
        yield output
    finally:
        subprocess.run(["umount", mountpoint], check=True)


@pytest.fixture(scope="module")
def machine() -> Iterator[Namespace]:
    """A machine with a cache of its own."""
    with without_headers() as namespace:
        yield namespace
