"""Packages packed as they come: the same archive as of what dpkg and rpm would unpack."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

import kheadersfs
from tests.support import packages
from tests.support.mounting import Outcome, one_line, run_command
from tests.support.packages import Half, Kernel

if TYPE_CHECKING:
    from pathlib import Path

LAYOUTS = ("debian", "ubuntu", "fedora", "opensuse")


def make_kernel(layout: str, directory: Path) -> Kernel:
    """Make the packages of a kernel as a distribution lays them out."""
    halves = _halves(layout, directory / "roots")
    release = {"debian": "6.1.0-7-amd64", "opensuse": "6.1.7-2-default"}
    make = packages.make_rpm if layout in ("fedora", "opensuse") else packages.make_deb
    packages.require("rpmbuild" if make is packages.make_rpm else "dpkg-deb")
    there = directory / "packages"
    there.mkdir()
    made = [make(half, there) for half in halves]
    unpacked = packages.unpack_all(halves, directory / "root")
    return Kernel(release.get(layout, "6.1.0-7-amd64"), made, unpacked)


def _halves(layout: str, directory: Path) -> list[Half]:
    if layout == "debian":
        return packages.debian_roots(directory)
    if layout == "ubuntu":
        return packages.ubuntu_roots(directory)
    if layout == "fedora":
        return [packages.fedora_root(directory)]
    return packages.opensuse_roots(directory)


@pytest.fixture(params=LAYOUTS)
def kernel(request: pytest.FixtureRequest, tmp_path: Path) -> Kernel:
    return make_kernel(request.param, tmp_path)


@pytest.fixture
def debian(tmp_path: Path) -> Kernel:
    return make_kernel("debian", tmp_path)


def test_the_archive_is_that_of_the_packages_unpacked(kernel: Kernel, tmp_path: Path) -> None:
    of_tree, of_packages = tmp_path / "tree.tar.xz", tmp_path / "packages.tar.xz"
    assert run_command("pack", "--objtree", kernel.unpacked, "-o", of_tree) == Outcome(0, "", "")
    assert run_command("pack", *kernel.packages, "-o", of_packages) == Outcome(0, "", "")
    assert of_packages.read_bytes() == of_tree.read_bytes()
    with kheadersfs.open_archive(of_packages) as archive:
        assert archive.release == kernel.release
        assert archive.read("include/linux/sched.h").endswith(b"struct task_struct;\n")
        assert archive.read("arch/x86/include/asm/page.h") == b"#define PAGE_SHIFT 12\n"


def test_the_order_of_packages_does_not_matter_nor_how_they_are_named(
    kernel: Kernel, tmp_path: Path
) -> None:
    """The one that needs the other finds it beside itself."""
    ways = [kernel.packages, kernel.packages[::-1], [kernel.packages[-1]]]
    ways.append([kernel.packages[0].parent])
    made = set()
    for number, way in enumerate(ways):
        out = tmp_path / f"{number}.tar.zst"
        assert run_command("pack", *way, "-o", out) == Outcome(0, "", "")
        made.add(out.read_bytes())
    assert len(made) == 1


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none", "xz"])
def test_a_deb_is_read_however_it_is_compressed(compression: str, tmp_path: Path) -> None:
    packages.require("dpkg-deb")
    halves = packages.debian_roots(tmp_path / "roots")
    made = [packages.make_deb(half, tmp_path, compression) for half in halves]
    out = tmp_path / "out.tar.zst"
    assert run_command("pack", *made, "-o", out) == Outcome(0, "", "")


@pytest.mark.parametrize("payload", ["w9.gzdio", "w9.bzdio", "w6.xzdio", "w19.zstdio", "w.ufdio"])
def test_an_rpm_is_read_however_it_is_compressed(payload: str, tmp_path: Path) -> None:
    packages.require("rpmbuild")
    half = packages.fedora_root(tmp_path / "roots")
    out = tmp_path / "out.tar.zst"
    package = packages.make_rpm(half, tmp_path, payload)
    assert run_command("pack", package, "-o", out) == Outcome(0, "", "")


def test_all_in_one_deb_is_enough(tmp_path: Path) -> None:
    packages.require("dpkg-deb")
    tree = packages.fedora_root(tmp_path / "roots").root
    sources = tree / "usr/src/linux-headers-6.1.0-7-generic"
    (tree / "usr/src/kernels/6.1.0-7-amd64").rename(sources)
    (tree / "usr/src/kernels").rmdir()
    half = Half("linux-headers-6.1.0-7-generic", "amd64", ("libc6",), tree)
    out = tmp_path / "out.tar.zst"
    assert run_command("pack", packages.make_deb(half, tmp_path), "-o", out) == Outcome(0, "", "")


def test_hard_links_in_a_package_are_files(tmp_path: Path) -> None:
    packages.require("dpkg-deb")
    sources, built = packages.debian_roots(tmp_path / "roots")
    linux = next(sources.root.glob("usr/src/*/include/linux"))
    (linux / "again.h").hardlink_to(linux / "sched.h")
    out = tmp_path / "out.tar.zst"
    made = [packages.make_deb(half, tmp_path) for half in (sources, built)]
    assert run_command("pack", *made, "-o", out) == Outcome(0, "", "")
    with kheadersfs.open_archive(out) as archive:
        assert archive.read("include/linux/again.h") == archive.read("include/linux/sched.h")


def refused(status: int, *words: str | Path, out: Path) -> str:
    """Return what pack says of packages that it must refuse; nothing may be written."""
    outcome = run_command("pack", *words, "-o", out)
    assert outcome.status == status, outcome
    assert not out.exists()
    return one_line(outcome)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("debian", "linux-headers-6.1.0-7-common"),
        ("ubuntu", "linux-headers-6.1.0-7"),
        ("opensuse", "kernel-devel"),
    ],
)
def test_the_package_with_the_missing_half_is_named(layout: str, name: str, tmp_path: Path) -> None:
    sources, built = make_kernel(layout, tmp_path).packages
    out = tmp_path / "out.tar.zst"
    sources.rename(tmp_path / "aside")
    assert f"the other one is in the package {name};" in refused(2, built, out=out)
    built.rename(built.with_suffix(".aside"))
    (tmp_path / "aside").rename(sources)
    assert "one half of a kernel's headers" in refused(2, sources, out=out)


def test_the_sources_of_another_version_are_refused(debian: Kernel, tmp_path: Path) -> None:
    sources, _ = packages.debian_roots(tmp_path / "others")
    other = packages.make_deb(sources, tmp_path, version="6.1.9-1")
    debian.packages[0].unlink()
    message = refused(2, other, debian.packages[1], out=tmp_path / "out.tar.zst")
    assert "needs linux-headers-6.1.0-7-common 6.1.7-2, and" in message
    assert "6.1.9-1_all is another" in message


def test_packages_of_different_kernels_are_not_one(debian: Kernel, tmp_path: Path) -> None:
    other = packages.debian_roots(tmp_path / "others", number="6.12.9")
    for half in (*other, packages.debian_roots(tmp_path / "arm", "arm64")[1]):
        packages.make_deb(half, debian.packages[0].parent)
    message = refused(2, debian.packages[0].parent, out=tmp_path / "out.tar.zst")
    for name in ("6.1.0-7-amd64", "6.1.0-7-arm64", "6.12.9-amd64"):
        assert f"linux-headers-{name}_" in message
    assert "several kernels" in message


def test_the_same_package_twice_is_refused(debian: Kernel, tmp_path: Path) -> None:
    again = tmp_path / "again.deb"
    again.write_bytes(debian.packages[1].read_bytes())
    message = refused(2, *debian.packages, again, out=tmp_path / "out.tar.zst")
    assert "linux-headers-6.1.0-7-amd64_6.1.7-2_amd64: is there twice" in message


def test_what_is_no_package_of_headers_is_refused(tmp_path: Path) -> None:
    packages.require("dpkg-deb", "ar")
    out = tmp_path / "out.tar.zst"
    root = tmp_path / "root"
    packages.write_tree(root / "usr/share/doc", {"README": "nothing"}, "")
    nothing = packages.make_deb(Half("linux-headers-none", "all", (), root), tmp_path)
    assert "has no headers to build with" in refused(2, nothing, out=out)
    library = tmp_path / "library.a"
    (tmp_path / "member").write_text("object")
    subprocess.run(["ar", "rc", library, tmp_path / "member"], check=True)
    assert "is an ar of something else" in refused(12, library, out=out)
    text = tmp_path / "text.deb"
    text.write_text("no package\n")
    assert "is no package" in refused(12, text, out=out)
    empty = tmp_path / "directory"
    empty.mkdir()
    assert "without packages of kernel headers" in refused(11, empty, out=out)
    assert "no such file" in refused(11, tmp_path / "absent.deb", out=out).lower()


@pytest.mark.parametrize("layout", ["debian", "fedora"])
def test_damage_anywhere_in_a_package_is_noticed(layout: str, tmp_path: Path) -> None:
    kernel = make_kernel(layout, tmp_path)
    package, out = kernel.packages[-1], tmp_path / "out.tar.zst"
    whole = package.read_bytes()
    for size in (70, len(whole) // 2, len(whole) - 3):
        package.write_bytes(whole[:size])
        refused(13, *kernel.packages, out=out)
    for place in range(len(whole) * 2 // 3, len(whole) - 60, len(whole) // 12):
        package.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        outcome = run_command("pack", *kernel.packages, "-o", out)
        assert outcome.status in (2, 12, 13), (place, outcome)
        assert not out.exists()


def test_the_payload_of_an_rpm_is_held_against_its_digest(tmp_path: Path) -> None:
    """zstd as rpm writes it has no sum of its own, and plain cpio has none at all."""
    packages.require("rpmbuild")
    half = packages.fedora_root(tmp_path / "roots")
    package, out = packages.make_rpm(half, tmp_path, "w.ufdio"), tmp_path / "out.tar.zst"
    whole = package.read_bytes()
    assert whole.count(b"struct task_struct;") == 1
    package.write_bytes(whole.replace(b"struct task_struct;", b"struct tusk_struct;"))
    assert "its content is not what its header says" in refused(13, package, out=out)


def test_a_tree_and_a_package_are_not_taken_together(debian: Kernel, tmp_path: Path) -> None:
    out = tmp_path / "out.tar.zst"
    message = refused(2, "--objtree", debian.unpacked, debian.packages[1], out=out)
    assert "a package is instead of --srctree" in message
