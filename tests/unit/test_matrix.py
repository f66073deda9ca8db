"""tools/matrix: the layouts that it makes, its page, and what it remembers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from kernel_matrix.compiling import first_error
from kernel_matrix.inputs import INPUTS, MADE
from kernel_matrix.layouts import as_fedora, as_ubuntu
from kernel_matrix.outcomes import Cell, Outcome, Row
from kernel_matrix.rows import Memory
from kernel_matrix.table import page

from kheadersfs.kernel.trees import find_kernel_tree

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "6.12.9+deb13"
SOURCES = {
    "Makefile": "VERSION = 6\n",
    "Kconfig": "",
    "include/linux/kconfig.h": "#define __LINUX_KCONFIG_H\n",
    "arch/x86/Makefile": "",
    "arch/x86/include/asm/Kbuild": "",
    "arch/x86/include/asm/page.h": "",
    "arch/arm/include/asm/Kbuild": "",
    "arch/arm/include/asm/page.h": "",
}
GENERATED = {
    "Makefile": "include /usr/src/linux-headers-6.12.9+deb13-common/Makefile\n",
    ".config": "",
    "include/generated/autoconf.h": "/*\n * Linux/x86 6.12.9 Kernel Configuration\n */\n",
    "include/generated/utsrelease.h": f'#define UTS_RELEASE "{RELEASE}-amd64"\n',
    "arch/x86/include/generated/asm/unistd.h": "",
}
REFUSED = Outcome(2, {"b.bpf.c": "no such type"})
TAKEN = Outcome(2, {})


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """Debian's two packages of a kernel, unpacked."""
    for half, files in (("common", SOURCES), ("amd64", GENERATED)):
        for name, text in files.items():
            path = tmp_path / f"usr/src/linux-headers-{RELEASE}-{half}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return tmp_path


def test_ubuntus_object_tree_links_to_the_highest_directories_that_it_lacks(unpacked: Path) -> None:
    tree = as_ubuntu(unpacked)
    links = {
        str(path.relative_to(tree)): str(path.readlink())
        for path in tree.rglob("*")
        if path.is_symlink()
    }
    common = f"linux-headers-{RELEASE}"
    assert links == {
        "Makefile": f"../{common}/Makefile",
        "Kconfig": f"../{common}/Kconfig",
        "include/linux": f"../../{common}/include/linux",
        "arch/x86/Makefile": f"../../../{common}/arch/x86/Makefile",
        "arch/x86/include/asm": f"../../../../{common}/arch/x86/include/asm",
        "arch/arm": f"../../{common}/arch/arm",
    }
    assert (tree / "include/linux/kconfig.h").read_text() == SOURCES["include/linux/kconfig.h"]


def test_fedoras_tree_has_the_files_of_both_packages(unpacked: Path) -> None:
    tree = as_fedora(unpacked)
    assert tree == unpacked / f"usr/src/kernels/{RELEASE}-amd64"
    found = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_file()}
    assert {name: path.read_text() for name, path in found.items()} == GENERATED | SOURCES
    assert find_kernel_tree(str(tree), None, None).release == f"{RELEASE}-amd64"


def test_the_page_says_where_a_mount_and_an_extraction_differ() -> None:
    alike, worse = Cell(REFUSED, REFUSED), Cell(REFUSED, TAKEN)
    row = Row("6.12.9", "bpfel", {"clang-14": alike, "clang-19": worse}, {"clang-14": REFUSED})
    printed = page({"6.12 x86": row}, {"7.3 arm": "no package"}, ["7.3 x86"], {})
    assert "| 6.12 x86 | 6.12.9 | bpfel | 1/2, 1/2 | 1/2, 2/2 | 1/2 |\n" in printed
    assert "- clang-14, b.bpf.c: `no such type` (6.12 x86)\n" in printed
    assert "- clang-19 (mounted only), b.bpf.c: `no such type` (6.12 x86)\n" in printed
    assert "- loaded, of clang-14, b.bpf.c: `no such type` (6.12 x86)\n" in printed
    assert "- 7.3 arm: no package\n" in printed
    assert printed.endswith("\n- 7.3 x86\n")


def test_the_page_says_which_kinds_of_programs_the_kernel_refuses() -> None:
    printed = page({}, {}, [], {"xdp": None, "tc": None, "fentry/open": "not permitted"})
    assert "takes those of\nxdp, tc.\nIt refuses these" in printed
    assert printed.endswith("\n- fentry/open: `not permitted`\n")
    assert "refuses" not in page({}, {}, [], {"xdp": None})


def test_a_row_is_remembered_for_its_archive_and_its_tools_alone(tmp_path: Path) -> None:
    archive, other = tmp_path / "archive", tmp_path / "other"
    archive.write_bytes(b"archive")
    other.write_bytes(b"other")
    row = Row("6.12.9", "bpfel", {"clang-14": Cell(REFUSED, TAKEN)}, {"clang-14": REFUSED})
    memory = Memory(tmp_path / "rows", ("clang-14",))
    memory.keep(archive, row)
    assert memory.recall(archive) == row
    assert memory.recall(other) is None
    assert Memory(tmp_path / "rows", ("clang-19",)).recall(archive) is None
    shutil.copy(archive, other)
    assert memory.recall(other) == row


def test_every_input_has_a_name_of_its_own_and_a_known_kind() -> None:
    assert len({entry.name for entry in INPUTS}) == len(INPUTS)
    assert {entry.kind for entry in INPUTS} <= set(MADE)


def test_the_first_error_of_a_compiler_is_found_among_its_warnings() -> None:
    messages = (
        "a.h:1:2: warning: unused\na.h:3:4: error: unknown type name 'u8'\nb.h: error: more\n"
    )
    assert first_error(messages) == "unknown type name 'u8'"
    assert first_error("a.h:1:2: warning: unused\n") == ""
