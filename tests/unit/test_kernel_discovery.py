"""Discovery, in real directories below a root of the test's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kheadersfs.errors import ArchiveUnavailable
from kheadersfs.kernel.cache import ArchiveCache, HeaderTree
from kheadersfs.kernel.discovery import FoundArchive, find_archive
from kheadersfs.kernel.release import Kernel

RELEASE = "6.1.0-37-amd64"
KERNEL = Kernel(RELEASE, "x86")
NOBODY = 65534
SYSFS_ARCHIVE = "sys/kernel/kheaders.tar.xz"

# Stands for modprobe(8) on a machine whose kernel has the module: loading it makes the
# archive appear in sysfs, removing it takes that away. What it did is in the file "calls".
MODPROBE = """#!/bin/sh
echo "$*" >>{root}/calls
case "$*" in
"-q kheaders")
    mkdir -p {root}/sys/module/kheaders
    echo live >{root}/sys/module/kheaders/initstate
    printf 'archive in the module' >{root}/sys/kernel/kheaders.tar.xz ;;
"-q -r kheaders")
    rm -r {root}/sys/module/kheaders {root}/sys/kernel/kheaders.tar.xz ;;
esac
"""

requires_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root loads modules")


def write(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def header_tree(directory: Path) -> Path:
    write(directory / "include/generated/autoconf.h", "#define CONFIG_X86 1\n")
    write(directory / "include/linux/kconfig.h")
    return directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "root"
    (directory / "sys/kernel").mkdir(parents=True)
    return directory


def find(root: Path, modprobe: str = "false") -> FoundArchive:
    """Find the archive; a packed tree is a file that says where sources and objects were."""

    def pack(tree: HeaderTree, archive: str) -> None:
        Path(archive).write_text(f"{tree.srctree} {tree.objtree}")

    cache = ArchiveCache(str(root.parent / "cache"), ".tar.xz", lambda _: "", pack)
    return find_archive(KERNEL, cache, str(root), modprobe)


def packed_from(root: Path) -> list[Path]:
    return [Path(name) for name in Path(find(root).path).read_text().split()]


@pytest.fixture
def modprobe(root: Path) -> str:
    script = write(root.parent / "modprobe", MODPROBE.format(root=root))
    script.chmod(0o755)
    return str(script)


def test_headers_built_into_the_kernel_are_read_where_they_are(root: Path) -> None:
    archive = write(root / SYSFS_ARCHIVE)
    assert find(root) == FoundArchive(str(archive), None)


def test_headers_in_a_loaded_module_are_held_and_the_module_stays(
    root: Path, modprobe: str
) -> None:
    archive = write(root / SYSFS_ARCHIVE, "archive in the module")
    write(root / "sys/module/kheaders/initstate", "live\n")
    assert find(root, modprobe) == FoundArchive(str(archive), b"archive in the module")
    assert archive.exists()
    assert not (root / "calls").exists()


@requires_root
def test_a_module_that_was_loaded_for_its_headers_is_unloaded_again(
    root: Path, modprobe: str
) -> None:
    found = find(root, modprobe)
    assert found.content == b"archive in the module"
    assert (root / "calls").read_text() == "-q kheaders\n-q -r kheaders\n"
    assert not (root / "sys/module/kheaders").exists()


@requires_root
def test_a_module_that_somebody_else_is_loading_is_not_unloaded(root: Path, modprobe: str) -> None:
    (root / "sys/module/kheaders").mkdir(parents=True)
    assert find(root, modprobe).content == b"archive in the module"
    assert (root / "calls").read_text() == "-q kheaders\n"


@requires_root
def test_a_module_that_is_unloaded_at_any_moment_is_not_taken_for_the_kernel_itself(
    root: Path, modprobe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    unload_at = 0
    stat = os.stat

    def stat_after_an_unload(path: str, **how: bool) -> os.stat_result:
        nonlocal looks
        looks += 1
        if looks == unload_at:
            subprocess.run([modprobe, "-q", "-r", "kheaders"], check=True)
        return stat(path, **how)

    while unload_at <= looks:
        looks = 0
        unload_at += 1
        subprocess.run([modprobe, "-q", "kheaders"], check=True)
        with monkeypatch.context() as patched:
            patched.setattr(os, "stat", stat_after_an_unload)
            found = find(root, modprobe)
        assert found.content == b"archive in the module"
    assert unload_at > 3


@requires_root
def test_a_module_whose_archive_cannot_be_read_does_not_hang_the_search(
    root: Path, modprobe: str
) -> None:
    (root / SYSFS_ARCHIVE).mkdir()
    write(root / "sys/module/kheaders/initstate", "live\n")
    with pytest.raises(ArchiveUnavailable, match="came and went"):
        find(root, modprobe)


@requires_root
def test_an_archive_that_may_not_be_read_is_said_to_be_so() -> None:
    with TemporaryDirectory() as directory:  # pytest's own are closed to others
        root = Path(directory)
        root.chmod(0o755)
        write(root / SYSFS_ARCHIVE).chmod(0)
        write(root / "sys/module/kheaders/initstate", "live\n")
        os.seteuid(NOBODY)
        try:
            with pytest.raises(
                ArchiveUnavailable, match=r"kheaders\.tar\.xz \(Permission denied\)"
            ):
                find(root)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    "name",
    [
        f"usr/lib/kheaders/{RELEASE}.tar.zst",
        f"usr/lib/kheaders/{RELEASE}.cpio",
        f"boot/kheaders-{RELEASE}.tar.xz",
        f"boot/kheaders-{RELEASE}.cpio.gz",
        f"boot/kheaders-{RELEASE}.tar.bz2",
        f"boot/kheaders-{RELEASE}.tar.lz4",
    ],
)
def test_an_archive_in_a_documented_place_is_found(root: Path, name: str) -> None:
    archive = write(root / name)
    assert find(root) == FoundArchive(str(archive), None)


def test_places_are_searched_in_the_documented_order(root: Path) -> None:
    in_order = [
        write(root / SYSFS_ARCHIVE),
        write(root / f"usr/lib/kheaders/{RELEASE}.tar.zst"),
        write(root / f"usr/lib/kheaders/{RELEASE}.tar.xz"),
        write(root / f"boot/kheaders-{RELEASE}.tar.zst"),
    ]
    header_tree(root / f"lib/modules/{RELEASE}/build")
    for archive in in_order:
        assert find(root).path == str(archive)
        archive.unlink()
    assert find(root).path == str(root.parent / f"cache/{RELEASE}.tar.xz")


def test_an_archive_of_another_release_is_not_taken(root: Path) -> None:
    write(root / "usr/lib/kheaders/6.1.0-38-amd64.tar.xz")
    write(root / f"boot/kheaders-{RELEASE}-rescue.tar.xz")
    with pytest.raises(ArchiveUnavailable):
        find(root)


def test_a_tree_that_was_built_in_place_is_packed_from_one_directory(root: Path) -> None:
    tree = header_tree(root / f"lib/modules/{RELEASE}/build")
    assert packed_from(root) == [tree, tree]


@pytest.mark.parametrize(
    "place", [f"usr/src/linux-headers-{RELEASE}", f"usr/src/kernels/{RELEASE}"]
)
def test_a_headers_package_is_found_without_links_to_it(root: Path, place: str) -> None:
    tree = header_tree(root / place)
    assert packed_from(root) == [tree, tree]


def debian_trees(root: Path) -> tuple[Path, Path]:
    """Make the two directories of Debian's headers: common sources, generated headers."""
    common = root / "usr/src/linux-headers-6.1.0-37-common"
    write(common / "include/linux/kconfig.h")
    objtree = root / f"usr/src/linux-headers-{RELEASE}"
    write(objtree / "include/generated/autoconf.h")
    return common, objtree


def test_debians_common_sources_are_found_through_source(root: Path) -> None:
    common, objtree = debian_trees(root)
    modules = root / f"lib/modules/{RELEASE}"
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(objtree)
    (modules / "source").symlink_to(common)
    assert packed_from(root) == [common, objtree]


def test_debians_common_sources_are_found_through_the_makefile(root: Path) -> None:
    common, objtree = debian_trees(root)
    write(objtree / "Makefile", f"include {common}/Makefile\n")
    assert packed_from(root) == [common, objtree]


def test_ubuntus_sources_are_found_through_its_links(root: Path) -> None:
    sources = root / "usr/src/linux-headers-6.1.0-37"
    write(sources / "include/linux/kconfig.h")
    objtree = root / f"usr/src/linux-headers-{RELEASE}"
    write(objtree / "include/generated/autoconf.h")
    (objtree / "include/linux").symlink_to("../../linux-headers-6.1.0-37/include/linux")
    assert packed_from(root) == [sources, objtree]


def test_links_to_files_of_other_names_are_sources_themselves(root: Path) -> None:
    objtree = root / f"usr/src/linux-headers-{RELEASE}"
    write(objtree / "include/generated/autoconf.h")
    (objtree / "include/linux").mkdir()
    (objtree / "include/linux/kconfig.h").symlink_to(write(root / "store/0123-kconfig.h"))
    assert packed_from(root) == [objtree, objtree]


def test_generated_headers_without_their_sources_are_no_tree(root: Path) -> None:
    _, objtree = debian_trees(root)
    write(objtree / "Makefile", "include /nowhere/Makefile\n")
    with pytest.raises(ArchiveUnavailable, match="sources are missing"):
        find(root)


def test_no_archive_names_every_place_and_the_command_that_makes_one(root: Path) -> None:
    with pytest.raises(ArchiveUnavailable) as failure:
        find(root)
    message = str(failure.value)
    for place in (
        SYSFS_ARCHIVE,
        f"usr/lib/kheaders/{RELEASE}.",
        f"boot/kheaders-{RELEASE}.",
        f"lib/modules/{RELEASE}/build",
        f"usr/src/linux-headers-{RELEASE}",
        f"usr/src/kernels/{RELEASE}",
    ):
        assert str(root / place) in message
    assert f"{RELEASE} (x86)" in message
    assert "kheadersfs pack --srctree" in message
    assert "\n" not in message
