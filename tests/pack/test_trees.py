"""Finding the two trees of a kernel, its architecture and its release."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kheadersfs.errors import UsageError
from kheadersfs.kernel import trees
from kheadersfs.kernel.trees import KernelTree, find_kernel_tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pack.conftest import SmallTree


GENERATED = ("arch/x86/include/generated", "include/generated")


def split(tree: Path, objtree: Path) -> None:
    """Move what is generated in *tree* to *objtree*."""
    for directory in GENERATED:
        (objtree / directory).parent.mkdir(parents=True)
        (tree / directory).rename(objtree / directory)


def test_an_in_tree_build_is_both_trees(small_tree: SmallTree) -> None:
    tree = str(small_tree())
    assert find_kernel_tree(tree, None, None) == KernelTree(tree, tree, "x86", "6.1.7-test", False)


def test_the_current_directory_is_taken_when_it_is_a_kernel_tree(
    small_tree: SmallTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_tree())
    assert find_kernel_tree(None, None, None)[:2] == (".", ".")


def test_elsewhere_it_is_the_running_kernel(
    small_tree: SmallTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "MODULES_DIRECTORY", str(tmp_path))
    release = os.uname().release
    (tmp_path / release).mkdir()
    (tmp_path / release / "build").symlink_to(small_tree())
    monkeypatch.chdir(tmp_path)
    build = str(tmp_path / release / "build")
    assert find_kernel_tree(None, None, None)[:2] == (build, build)


def test_an_object_tree_leads_to_its_sources_by_its_link(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    tree, objtree = small_tree(), tmp_path / "objtree"
    split(tree, objtree)
    (objtree / "source").symlink_to(tree)
    found = find_kernel_tree(None, str(objtree), None)
    assert found[:2] == (str(objtree / "source"), str(objtree))


@pytest.mark.parametrize("named", ["{tree}", "../linux"])
def test_an_object_tree_leads_to_its_sources_by_its_makefile(
    small_tree: SmallTree, tmp_path: Path, named: str
) -> None:
    tree, objtree = small_tree(), tmp_path / "linux-headers-6.1.0-amd64"
    split(tree, objtree)
    (objtree / "Makefile").write_text(f"include {named.format(tree=tree)}/Makefile\n")
    srctree, *_ = find_kernel_tree(None, str(objtree), None)
    assert (tmp_path / srctree).samefile(tree)


def test_a_distributions_two_packages_are_found_through_their_modules_directory(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    common, objtree, modules = small_tree("common"), tmp_path / "amd64", tmp_path / "modules/6.1"
    split(common, objtree)
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(objtree)
    (modules / "source").symlink_to(common)
    found = str(modules / "source"), str(modules / "build")
    assert find_kernel_tree(str(modules), None, None)[:2] == found
    assert find_kernel_tree(None, str(modules), None)[:2] == found
    assert find_kernel_tree(None, str(modules / "build"), None)[:2] == found
    assert find_kernel_tree(str(modules), str(modules), None)[:2] == found
    assert find_kernel_tree(str(common), str(objtree), None)[:2] == (str(common), str(objtree))


def test_an_object_tree_leads_to_its_sources_by_links_to_their_directories(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    tree, objtree = small_tree(), tmp_path / "linux-headers-6.1.0-37-generic"
    split(tree, objtree)
    for directory in ("include/linux", "include/asm-generic", "arch/x86/include/asm"):
        (objtree / directory).symlink_to(tree / directory)
    named = str(objtree)
    for srctree, given in ((None, named), (named, None), (named, named)):
        assert find_kernel_tree(srctree, given, None)[:2] == (str(tree), named)


def test_sources_that_are_links_to_files_of_other_names_are_sources_themselves(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    tree = small_tree()
    mark = tree / "include/linux/kconfig.h"
    mark.symlink_to(mark.rename(tmp_path / "0123-kconfig.h"))
    assert find_kernel_tree(str(tree), None, None)[:2] == (str(tree), str(tree))


def test_sources_that_an_object_tree_names_must_be_there(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    tree, objtree = small_tree(), tmp_path / "objtree"
    split(tree, objtree)
    (objtree / "Makefile").write_text("include /nowhere/linux/Makefile\n")
    with pytest.raises(UsageError, match=r"/nowhere/linux, which is not there; .* --srctree"):
        find_kernel_tree(None, str(objtree), None)


def test_what_is_no_kernel_tree_is_refused(tmp_path: Path, small_tree: SmallTree) -> None:
    tree = str(small_tree())
    nothing = str(tmp_path / "nothing")
    for srctree, objtree in ((str(tmp_path), None), (None, str(tmp_path)), (str(tmp_path), tree)):
        with pytest.raises(UsageError, match="is not a kernel"):
            find_kernel_tree(srctree, objtree, None)
    file = tmp_path / "file"
    file.touch()
    for path, message in ((nothing, "no such directory"), (str(file), "is not a directory")):
        for srctree, objtree in ((path, tree), (tree, path), (path, None), (None, path)):
            with pytest.raises(UsageError, match=f"{path}: {message}; name .* with --"):
                find_kernel_tree(srctree, objtree, None)


def test_a_tree_that_is_not_configured_or_not_prepared_is_refused(small_tree: SmallTree) -> None:
    tree = small_tree()
    (tree / "include/generated/utsrelease.h").unlink()
    with pytest.raises(UsageError, match="run make prepare"):
        find_kernel_tree(str(tree), None, None)
    (tree / "include/generated/autoconf.h").unlink()
    with pytest.raises(UsageError, match=r"is not configured .* make defconfig"):
        find_kernel_tree(str(tree), None, None)


def test_kernels_that_list_their_headers_are_told_by_makefile_or_version(
    small_tree: SmallTree,
) -> None:
    old, new = small_tree("old", version="6.16.12"), small_tree("new", version="6.17.0")
    assert not find_kernel_tree(str(old), None, None).lists
    assert find_kernel_tree(str(new), None, None).lists
    for tree, text in ((old, "$(obj)/kheaders-srclist: FORCE\n"), (new, "obj-y = fork.o\n")):
        (tree / "kernel").mkdir()
        (tree / "kernel/Makefile").write_text(text)
    assert find_kernel_tree(str(old), None, None).lists
    assert not find_kernel_tree(str(new), None, None).lists


RELEASE = "6.1.7-amd64"


class Unpacked(NamedTuple):
    """Debian's two packages of one kernel below ``root``, whose links are those of /."""

    root: Path
    common: Path
    flavour: Path


@pytest.fixture
def unpacked(small_tree: SmallTree, tmp_path: Path) -> Unpacked:
    root = tmp_path / "root"
    sources = root / "usr/src"
    sources.mkdir(parents=True)
    common, flavour = sources / "linux-headers-6.1.7-common", sources / f"linux-headers-{RELEASE}"
    small_tree().rename(common)
    split(common, flavour)
    (flavour / "Makefile").write_text(f"include /usr/src/{common.name}/Makefile\n")
    modules = root / "lib/modules" / RELEASE
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(f"/usr/src/{flavour.name}")
    (modules / "source").symlink_to(f"/usr/src/{common.name}")
    return Unpacked(root, common, flavour)


WAYS_TO_NAME = (
    *("", "usr/src", "usr/src/linux-headers-6.1.7-common", f"usr/src/linux-headers-{RELEASE}"),
    *("lib/modules", f"lib/modules/{RELEASE}", f"lib/modules/{RELEASE}/build"),
)


@pytest.mark.parametrize("name", WAYS_TO_NAME)
def test_packages_that_are_unpacked_elsewhere_are_found_by_whatever_names_one(
    unpacked: Unpacked, name: str
) -> None:
    named = str(unpacked.root / name)
    for srctree, objtree in ((named, None), (None, named)):
        found = find_kernel_tree(srctree, objtree, None)
        assert os.path.samefile(found.srctree, unpacked.common)
        assert os.path.samefile(found.objtree, unpacked.flavour)


def test_the_package_that_has_the_missing_half_is_named(unpacked: Unpacked) -> None:
    aside = unpacked.root / "aside"
    unpacked.common.rename(aside)
    for name in (f"usr/src/linux-headers-{RELEASE}", f"lib/modules/{RELEASE}", ""):
        with pytest.raises(UsageError, match=r"unpack the package linux-headers-6\.1\.7-common"):
            find_kernel_tree(str(unpacked.root / name), None, None)
    aside.rename(unpacked.common)
    unpacked.flavour.rename(aside)
    for tree in (unpacked.common, unpacked.root, unpacked.root / "usr/src"):
        with pytest.raises(UsageError, match=r"package like linux-headers-6\.1\.7-amd64"):
            find_kernel_tree(str(tree), None, None)


def test_several_flavours_are_listed(unpacked: Unpacked) -> None:
    other = unpacked.flavour.with_name("linux-headers-6.1.7-cloud-amd64")
    shutil.copytree(unpacked.flavour, other)
    for tree in (unpacked.common, unpacked.root):
        with pytest.raises(UsageError, match=r"name one with --objtree: .*-amd64, .*cloud-amd64"):
            find_kernel_tree(str(tree), None, None)
    assert find_kernel_tree(str(other), None, None).objtree == str(other)


def test_what_is_installed_does_not_stand_in_for_what_is_unpacked_beside(
    unpacked: Unpacked, tmp_path: Path
) -> None:
    installed = tmp_path / "installed/linux-headers-6.1.7-common"
    shutil.copytree(unpacked.common, installed)
    (unpacked.flavour / "Makefile").write_text(f"include {installed}/Makefile\n")
    assert find_kernel_tree(str(unpacked.flavour), None, None).srctree == str(unpacked.common)


def test_a_package_that_has_all_in_one_tree_is_found_below_its_root(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    """As Fedora's kernel-devel."""
    tree, modules = tmp_path / "usr/src/kernels/6.1.7", tmp_path / "lib/modules/6.1.7"
    tree.parent.mkdir(parents=True)
    small_tree().rename(tree)
    modules.mkdir(parents=True)
    (modules / "build").symlink_to("/usr/src/kernels/6.1.7")
    for named in (tmp_path, tree.parent, modules, modules / "build"):
        assert find_kernel_tree(str(named), None, None)[:2] == (str(tree), str(tree))
