"""Packages of small kernels, made by dpkg-deb and rpmbuild in the layouts of the distributions."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from kernel_matrix.layouts import as_fedora, as_ubuntu

VERSION = "6.1.7-2"
SOURCES = {
    "Makefile": "VERSION = 6\n",
    "arch/arm64/include/asm/page.h": "#define ARM64\n",
    "arch/x86/include/asm/page.h": "#define PAGE_SHIFT 12 /* 4 KiB */\n",
    "arch/x86/kernel/private.h": "not for others\n",
    "include/asm-generic/io.h": "/* SPDX-License-Identifier: GPL-2.0 */\n#include <asm/page.h>\n",
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
    "include/linux/sched.h": "#include <linux/kconfig.h>\nstruct task_struct;\n",
    "include/linux/sched.c": "no header\n",
    "kernel/Makefile": "obj-y = fork.o\n",
}
GENERATED = {
    "arch/x86/include/generated/asm/generated.h": "#include <asm-generic/io.h>\n",
    "include/generated/autoconf.h": (
        "/*\n * Linux/x86 6.1.7 Kernel Configuration\n */\n#define CONFIG_X86 1\n"
    ),
    "include/generated/uapi/linux/version.h": f"#define LINUX_VERSION_CODE {6 << 16 | 1 << 8}\n",
    "include/generated/utsrelease.h": '#define UTS_RELEASE "{release}"\n',
}


class Half(NamedTuple):
    """A package to be: its name, architecture, what it needs, and the root with its files."""

    name: str
    arch: str
    needs: tuple[str, ...]
    root: Path


class Kernel(NamedTuple):
    """The release of a kernel, its packages as files, and the root that all are unpacked in."""

    release: str
    packages: list[Path]
    unpacked: Path


def native_architecture() -> str:
    """Return what dpkg calls this machine."""
    words = ["dpkg", "--print-architecture"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def require(*programs: str) -> None:
    """Skip the test if one of *programs* is not installed."""
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


def write_tree(directory: Path, files: dict[str, str], release: str) -> None:
    """Write *files* below *directory*."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{release}", release))


def debian_roots(
    directory: Path, flavour: str = "amd64", number: str = "6.1.0-7", release: str = ""
) -> list[Half]:
    """Make Debian's pair below *directory*, the package of the sources first.

    *release* is by default the *number* with the *flavour*.
    """
    release, common = release or f"{number}-{flavour}", f"linux-headers-{number}-common"
    sources, built = directory / common, directory / f"linux-headers-{release}"
    write_tree(sources / f"usr/src/{common}", SOURCES, release)
    tree = built / f"usr/src/linux-headers-{release}"
    makefile = {"Makefile": f"include /usr/src/{common}/Makefile\n"}
    write_tree(tree, GENERATED | makefile, release)
    (tree / "scripts").symlink_to("../../lib/linux-kbuild-6.1/scripts")
    modules = built / "lib/modules" / release
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(f"/usr/src/linux-headers-{release}")
    (modules / "source").symlink_to(f"/usr/src/{common}")
    needs = (f"{common} (= {VERSION})", "linux-kbuild-6.1 (>= 6.1.7)")
    arch = flavour if flavour in ("amd64", "arm64") else native_architecture()
    return [Half(common, "all", (), sources), Half(built.name, arch, needs, built)]


def ubuntu_roots(directory: Path) -> list[Half]:
    """Make Ubuntu's pair, of which the flavour has relative links into the other."""
    unpacked = directory / "unpacked"
    for half in debian_roots(directory / "debian"):
        shutil.copytree(half.root, unpacked, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(unpacked / "lib")
    tree = as_ubuntu(unpacked)
    sources = tree.with_name(tree.name.removesuffix("-generic"))
    roots = [directory / name / "usr/src" / name for name in (sources.name, tree.name)]
    for root, made in zip(roots, (sources, tree), strict=True):
        root.parent.mkdir(parents=True)
        made.rename(root)
    return [
        Half(sources.name, "all", (), directory / sources.name),
        Half(tree.name, "amd64", (sources.name, "libc6 (>= 2.38)"), directory / tree.name),
    ]


def fedora_root(directory: Path, release: str = "") -> Half:
    """Make Fedora's one package, whose headers are of *release* if that is given."""
    unpacked = directory / "unpacked"
    for half in debian_roots(directory / "debian"):
        shutil.copytree(half.root, unpacked, symlinks=True, dirs_exist_ok=True)
    tree = as_fedora(unpacked)
    if release:
        tree = tree.rename(tree.with_name(release))
        write_tree(tree, GENERATED, release)
    shutil.rmtree(unpacked / "lib")
    modules = unpacked / "lib/modules" / tree.name
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(f"/usr/src/kernels/{tree.name}")
    return Half("kernel-devel", "x86_64", (), unpacked)


def opensuse_roots(directory: Path, release: str = "6.1.7-2") -> list[Half]:
    """Make openSUSE's pair, the package of the sources first."""
    sources, built = directory / "kernel-devel", directory / "kernel-default-devel"
    write_tree(sources / f"usr/src/linux-{release}", SOURCES, release)
    objects = built / f"usr/src/linux-{release}-obj"
    makefile = {"Makefile": f"include ../../../linux-{release}/Makefile\n"}
    write_tree(objects / "x86_64/default", GENERATED | makefile, f"{release}-default")
    (built / "usr/src/linux-obj").symlink_to(objects.name)
    needs = (f"kernel-devel = {VERSION}",)
    return [
        Half("kernel-devel", "noarch", (), sources),
        Half("kernel-default-devel", "x86_64", needs, built),
    ]


def make_deb(half: Half, directory: Path, compression: str = "xz", version: str = VERSION) -> Path:
    """Make a .deb of *half* in *directory*."""
    control = half.root / "DEBIAN/control"
    control.parent.mkdir()
    depends = f"Depends: {', '.join(half.needs)}\n" if half.needs else ""
    control.write_text(
        f"Package: {half.name}\nVersion: {version}\nArchitecture: {half.arch}\n{depends}"
        "Maintainer: nobody <nobody@localhost>\nDescription: headers\n of a kernel\n"
    )
    package = directory / f"{half.name}_{version}_{half.arch}.deb"
    subprocess.run(
        ["dpkg-deb", f"-Z{compression}", "--root-owner-group", "--build", half.root, package],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(control.parent)
    return package


def make_rpm(half: Half, directory: Path, payload: str = "w6.xzdio") -> Path:
    """Make an .rpm of *half* in *directory*, compressed as rpm calls *payload*."""
    version, _, release = VERSION.partition("-")
    requires = "".join(f"Requires: {need}\n" for need in half.needs)
    spec = directory / f"{half.name}.spec"
    spec.write_text(
        f"Name: {half.name}\nVersion: {version}\nRelease: {release}\nSummary: headers\n"
        f"License: GPL-2.0\n{requires}AutoReqProv: no\n%define _binary_payload {payload}\n"
        "%global __os_install_post %{nil}\n%global debug_package %{nil}\n"
        f"%description\nheaders\n%install\ncp -a {half.root}/. %{{buildroot}}\n%files\n/*\n"
    )
    defines = [f"_topdir {directory}/rpmbuild", f"_rpmdir {directory}", "_rpmfilename %{NVRA}.rpm"]
    words = [word for define in defines for word in ("--define", define)]
    subprocess.run(
        ["rpmbuild", "-bb", "--quiet", "--nodeps", *words, "--target", half.arch, spec],
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    return directory / f"{half.name}-{VERSION}.{half.arch}.rpm"


def unpack_all(halves: list[Half], directory: Path) -> Path:
    """Return a new directory with the files of all *halves*, as installing them would make it."""
    for half in halves:
        shutil.copytree(half.root, directory, symlinks=True, dirs_exist_ok=True)
    return directory
