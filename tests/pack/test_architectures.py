"""For which architecture a tree is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import UsageError
from kheadersfs.kernel.trees import find_kernel_tree, find_srcarch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pack.conftest import SmallTree


@pytest.mark.parametrize(
    ("arch", "srcarch"),
    [
        ("x86", "x86"),
        ("x86_64", "x86"),
        ("i386", "x86"),
        ("i686", "x86"),
        ("arm64", "arm64"),
        ("aarch64", "arm64"),
    ],
)
def test_an_architecture_may_be_named_as_the_kernel_or_uname_does(
    small_tree: SmallTree, arch: str, srcarch: str
) -> None:
    assert find_kernel_tree(str(small_tree()), None, arch).srcarch == srcarch


@pytest.mark.parametrize(
    ("arch", "srcarch"),
    [
        ("armv7l", "arm"),
        ("riscv64", "riscv"),
        ("ppc64le", "powerpc"),
        ("s390x", "s390"),
        ("mips64", "mips"),
        ("loongarch64", "loongarch"),
        ("sparc64", "sparc"),
        ("parisc64", "parisc"),
        ("um", "um"),
    ],
)
def test_every_architecture_of_the_kernel_can_be_named(
    tmp_path: Path, arch: str, srcarch: str
) -> None:
    (tmp_path / "arch" / srcarch / "include").mkdir(parents=True)
    assert find_srcarch(str(tmp_path), arch) == srcarch


@pytest.mark.parametrize("arch", ["vax", "", "../arch/x86", "/"])
def test_an_unknown_architecture_is_refused_with_those_there_are(
    small_tree: SmallTree, arch: str
) -> None:
    with pytest.raises(UsageError, match="name one of arm64, x86"):
        find_srcarch(str(small_tree()), arch)


def test_the_architecture_is_the_configured_one(small_tree: SmallTree) -> None:
    heading = (
        "/*\n * Automatically generated file\n * Linux/arm64 6.1.7 Kernel Configuration\n */\n"
    )
    tree = small_tree(files={"include/generated/autoconf.h": heading})
    assert find_kernel_tree(str(tree), None, None).srcarch == "arm64"
    (tree / "include/generated/autoconf.h").write_text("#define CONFIG_HZ 250\n")
    with pytest.raises(UsageError, match="name it with --arch"):
        find_kernel_tree(str(tree), None, None)


def test_what_was_extracted_without_comments_is_configured_for_an_architecture_too(
    small_tree: SmallTree,
) -> None:
    tree = small_tree(files={"include/generated/autoconf.h": "#define CONFIG_ARM64 1\n"})
    assert find_kernel_tree(str(tree), None, None).srcarch == "arm64"
