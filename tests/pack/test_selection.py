"""Which headers of small trees are taken; a real kernel's are in test_kernel.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from kheadersfs.errors import KheadersfsError, UsageError
from kheadersfs.kernel.trees import KernelTree, find_kernel_tree
from kheadersfs.pack.selection import Header, digest_stamps, read_header, select, select_listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pack.conftest import SmallTree

TAKEN = [
    "arch/x86/include/asm/page.h",
    "arch/x86/include/generated/asm/generated.h",
    "include/asm-generic/io.h",
    "include/generated/autoconf.h",
    "include/generated/uapi/linux/version.h",
    "include/generated/utsrelease.h",
    "include/linux/kconfig.h",
    "include/linux/sched.h",
]

LONG_AFTER = 2**62
"""A time, in nanoseconds since 1970, at which everything is old."""


def kernel_tree(srctree: Path, objtree: Path, lists: bool) -> KernelTree:
    return KernelTree(str(srctree), str(objtree), "x86", "6.1.7", lists)


def sources(headers: dict[bytes, Header], root: Path) -> dict[str, str]:
    """Return where each of *headers* comes from, relative to *root*."""
    return {
        os.fsdecode(path): os.path.relpath(os.fsdecode(header.source), root)
        for path, header in headers.items()
    }


@pytest.mark.parametrize("version", ["6.1.0", "6.17.0"])
def test_headers_of_the_configured_architecture_are_taken(
    small_tree: SmallTree, version: str
) -> None:
    headers = select(find_kernel_tree(str(small_tree(version=version)), None, None))
    assert [os.fsdecode(path) for path in headers] == TAKEN


@pytest.mark.parametrize("lists", [False, True])
def test_the_object_tree_wins(small_tree: SmallTree, tmp_path: Path, lists: bool) -> None:
    srctree = small_tree("src")
    objtree = tmp_path / "obj"
    (objtree / "include/generated").mkdir(parents=True)
    (objtree / "include/generated/autoconf.h").write_text("#define OBJTREE\n")
    found = sources(select(kernel_tree(srctree, objtree, lists)), tmp_path)
    assert found["include/generated/autoconf.h"] == "obj/include/generated/autoconf.h"
    assert found["include/linux/sched.h"] == "src/include/linux/sched.h"


def test_up_to_6_16_both_trees_are_searched_whole(small_tree: SmallTree, tmp_path: Path) -> None:
    srctree, objtree = small_tree("src"), tmp_path / "obj"
    (objtree / "include/config").mkdir(parents=True)
    (objtree / "include/config/smp.h").touch()
    found = select(kernel_tree(srctree, objtree, lists=False))
    assert found.keys() == {*map(os.fsencode, TAKEN), b"include/config/smp.h"}


def test_since_6_17_what_is_generated_comes_from_the_object_tree_alone(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    srctree, objtree = small_tree("src"), tmp_path / "obj"
    for name in ("include/config/smp.h", "arch/x86/include/generated/asm/new.h"):
        (objtree / name).parent.mkdir(parents=True)
        (objtree / name).touch()
    found = select(kernel_tree(srctree, objtree, lists=True))
    expected = {name for name in TAKEN if "generated/" not in name}
    expected.add("arch/x86/include/generated/asm/new.h")
    assert found.keys() == set(map(os.fsencode, expected))


@pytest.mark.parametrize("lists", [False, True])
def test_symlinks_stay_symlinks_and_linked_directories_are_not_entered(
    small_tree: SmallTree, lists: bool
) -> None:
    tree = small_tree()
    (tree / "include/linux/same.h").symlink_to("sched.h")
    (tree / "include/linux/dangling.h").symlink_to("../nowhere.h")
    (tree / "include/again").symlink_to("linux")
    headers = select(kernel_tree(tree, tree, lists))
    targets = {path: header.target for path, header in headers.items() if header.target}
    assert targets == {
        b"include/linux/same.h": b"sched.h",
        b"include/linux/dangling.h": b"../nowhere.h",
    }
    assert not any(path.startswith(b"include/again/") for path in headers)


def test_names_are_bytes(small_tree: SmallTree) -> None:
    tree = small_tree()
    name = os.fsencode(tree) + b"/include/linux/\xe9 \t.h"
    with open(name, "wb") as stream:
        stream.write(b"\xff")
    header = select(kernel_tree(tree, tree, lists=False))[b"include/linux/\xe9 \t.h"]
    assert read_header(header) == b"\xff"


def edit_unnoticed(path: Path) -> None:
    """Change the text of *path*, but neither its size nor its modification time."""
    before = path.stat()
    path.write_text(path.read_text().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    """Put a file that was there before, and looks the same, in place of *path*."""
    path.with_name("sched.c").rename(path)


@pytest.mark.parametrize(
    "change",
    [
        edit_unnoticed,
        replace,
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_name("renamed.h")),
        lambda path: path.with_name("new.h").touch(),
        lambda path: (path.unlink(), path.symlink_to("kconfig.h")),
    ],
)
def test_stamps_show_every_change(small_tree: SmallTree, change: Callable[[Path], object]) -> None:
    tree = small_tree()
    header = tree / "include/linux/sched.h"
    os.link(header, tree / "another name of the same inode")  # so that it is not used again
    shutil.copy2(header, header.with_name("sched.c"))
    before = digest_stamps(select(kernel_tree(tree, tree, lists=False)), LONG_AFTER)
    assert digest_stamps(select(kernel_tree(tree, tree, lists=False)), LONG_AFTER) == before != ""
    change(header)
    assert digest_stamps(select(kernel_tree(tree, tree, lists=False)), LONG_AFTER) != before


def test_stamps_of_what_has_just_changed_are_not_relied_on(small_tree: SmallTree) -> None:
    tree = small_tree()
    began = time.time_ns()
    assert digest_stamps(select(kernel_tree(tree, tree, lists=False)), began) == ""


def find(directory: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ["find", *arguments], check=True, cwd=directory, capture_output=True
    ).stdout


def test_lists_say_what_the_makefiles_find(small_tree: SmallTree, tmp_path: Path) -> None:
    srctree, objtree = small_tree("src", version="6.17.0"), tmp_path / "obj"
    for directory in ("include/generated", "arch/x86/include/generated"):
        (objtree / directory).parent.mkdir(parents=True)
        (srctree / directory).rename(objtree / directory)
    (srctree / "include/linux/same.h").symlink_to("sched.h")
    source_list = find(objtree, f"{srctree}/include", f"{srctree}/arch/x86", "-name", "*.h")
    source_list = source_list.replace(b"%b/arch/x86/kernel/private.h\n" % os.fsencode(srctree), b"")
    object_list = find(objtree, "include", "arch", "-name", "*.h", "!", "-name", "utsversion.h")
    listed = select_listed(os.fsencode(srctree), source_list, os.fsencode(objtree), object_list)
    assert listed == select(kernel_tree(srctree, objtree, lists=True))
    assert len(listed) == len(TAKEN) + 1


def test_a_listed_header_that_is_gone_is_an_error(tmp_path: Path) -> None:
    message = r"include/gone\.h: cannot read the header: No such file .*; it was listed before"
    with pytest.raises(KheadersfsError, match=message):
        select_listed(os.fsencode(tmp_path), b"", os.fsencode(tmp_path), b"include/gone.h\n")


def test_a_directory_that_cannot_be_reached_is_an_error(
    small_tree: SmallTree, tmp_path: Path
) -> None:
    objtree = tmp_path / "obj"
    (objtree / "arch/x86").mkdir(parents=True)
    (objtree / "arch/x86/include").symlink_to("include")
    with pytest.raises(KheadersfsError, match=r"x86/include: cannot .* levels of symbolic links"):
        select(kernel_tree(small_tree(), objtree, lists=False))


def test_a_tree_may_be_deeper_than_python_recurses(small_tree: SmallTree) -> None:
    tree = small_tree()
    deep = "include/deep" + "/d" * sys.getrecursionlimit()
    # Neither makedirs() nor rmtree(), with which pytest cleans up, can do this.
    subprocess.run(["mkdir", "-p", tree / deep], check=True)
    try:
        (tree / deep / "a.h").touch()
        assert f"{deep}/a.h".encode() in select(kernel_tree(tree, tree, lists=False))
    finally:
        subprocess.run(["rm", "-r", tree / "include/deep"], check=True)


def test_a_tree_without_headers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no header"):
        select(kernel_tree(tmp_path, tmp_path, lists=False))


def test_what_is_neither_file_nor_symlink_is_an_error(small_tree: SmallTree) -> None:
    tree = small_tree()
    os.mkfifo(tree / "include/linux/fifo.h")
    with pytest.raises(KheadersfsError, match=r"fifo\.h: is neither a file nor a symlink"):
        select(kernel_tree(tree, tree, lists=False))


def test_a_header_that_is_no_longer_what_was_selected_is_an_error(small_tree: SmallTree) -> None:
    tree = small_tree()
    headers = select(kernel_tree(tree, tree, lists=False))
    header = headers[b"include/linux/sched.h"]
    text = read_header(header)
    path = tree / "include/linux/sched.h"
    path.write_bytes(text.swapcase())
    with pytest.raises(KheadersfsError, match=r"sched\.h: changed while .* pack again"):
        read_header(header)
    path.unlink()
    with pytest.raises(KheadersfsError, match=r"sched\.h: cannot read"):
        read_header(header)
    path.symlink_to("kconfig.h")
    with pytest.raises(KheadersfsError, match=r"sched\.h: cannot read"):
        read_header(header)
