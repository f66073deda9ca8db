"""Which names a compiler looks for in vain, held against the tree that tar extracts."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from kheadersfs.archive.opening import open_archive
from kheadersfs.archive.readers import prepare_to_serve
from kheadersfs.fuse.absent import find_absent
from kheadersfs.tree import Tree, tree_of

SEARCHED = (
    *("arch/x86/include", "arch/x86/include/generated", "include"),
    *("arch/x86/include/uapi", "arch/x86/include/generated/uapi"),
    *("include/uapi", "include/generated/uapi"),
)
"""Where headers are searched for x86, in the order in which LINUXINCLUDE has them."""


def read_tree(archive: Path) -> Tree:
    return tree_of(prepare_to_serve(open_archive(str(archive))).load().table)


def missing_on_the_way(root: Path, start: str, name: str) -> str:
    """Return the path at which a search for *name* in *start* ends, empty if it finds *name*."""
    path = start
    for component in name.split("/"):
        path += f"/{component}"
        if not os.path.lexists(root / path):
            return path
    return ""


def looked_for_in_vain(root: Path, header: str) -> set[str]:
    """Return the paths at which *header* is looked for before the place where it is."""
    place = max((start for start in SEARCHED if header.startswith(f"{start}/")), key=len)
    name = header.removeprefix(f"{place}/")
    before = SEARCHED[: SEARCHED.index(place)]
    paths = [missing_on_the_way(root, start, name) for start in before if (root / start).is_dir()]
    return set(filter(None, paths))


def headers_of(tree: Tree, directory: str) -> dict[int, list[bytes]]:
    """Return the headers in *directory* and below it, by the inode of where they are."""
    found: dict[int, list[bytes]] = {}
    start = tree.resolve(directory.encode())
    for path, inode in tree.walk(start):
        if path.endswith(b".h"):
            found.setdefault(tree.parent(inode), []).append(path.rpartition(b"/")[2])
    return found


@pytest.mark.parametrize("directory", SEARCHED)
def test_all_names_are_found_that_a_search_for_the_headers_of_a_kernel_misses(
    reference_archive: Path, reference_tree: Path, directory: str
) -> None:
    if not (reference_tree / "arch/x86").is_dir():
        pytest.skip("kernel: the archive is not for x86")
    tree = read_tree(reference_archive)
    headers = headers_of(tree, directory)
    expected: set[str] = set()
    for inode, names in headers.items():
        for name in names:
            path = os.fsdecode(tree.path(inode) + b"/" + name)
            expected |= looked_for_in_vain(reference_tree, path)
    found = [os.fsdecode(path) for path in find_absent(tree, headers, "x86")]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert expected


def small_tree(tmp_path: Path, *members: tarfile.TarInfo | str) -> Tree:
    archive = tmp_path / "small.tar"
    with tarfile.open(archive, "w") as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            tar.addfile(info, io.BytesIO())
    return read_tree(archive)


def link(path: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def test_nothing_is_looked_for_below_a_symlink_or_a_file(tmp_path: Path) -> None:
    tree = small_tree(
        tmp_path,
        "include/uapi/asm/a.h",
        "include/uapi/linux/b.h",
        "include/uapi/misc/c.h",
        link("include/asm", "/somewhere/else"),
        "include/linux",
    )
    headers = headers_of(tree, "include/uapi")
    assert len(headers) == 3
    assert find_absent(tree, headers, "x86") == [b"include/misc"]


def test_a_directory_to_search_that_is_a_symlink_is_passed_over(tmp_path: Path) -> None:
    header = "include/uapi/linux/b.h"
    tree = small_tree(tmp_path, header, link("arch/x86/include", "/somewhere/else"))
    assert find_absent(tree, headers_of(tree, "include/uapi"), "x86") == [b"include/linux"]


def test_without_an_architecture_nothing_is_looked_for(tmp_path: Path) -> None:
    tree = small_tree(tmp_path, "include/uapi/linux/b.h")
    headers = headers_of(tree, "include/uapi")
    assert find_absent(tree, headers, "x86") == [b"include/linux"]
    assert find_absent(tree, headers, "") == []


def test_headers_outside_of_what_is_searched_are_looked_for_nowhere(tmp_path: Path) -> None:
    tree = small_tree(tmp_path, "tools/include/linux/b.h", "include/linux/c.h")
    assert find_absent(tree, headers_of(tree, "tools"), "x86") == []
