"""Find kernel trees: where sources and generated headers lie, and of which kernel they are."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from kheadersfs.errors import KheadersfsError, UsageError, reason
from kheadersfs.kernel.architectures import arch_of_machine, srcarch_of
from kheadersfs.kernel.files import MACHINE, Files
from kheadersfs.kernel.release import (
    CONFIGURATION_HEADER,
    RELEASE_HEADER,
    headers_arch,
    headers_release,
)
from kheadersfs.kernel.unpacked import (
    SOURCE_MARK,
    configured_beside,
    has_sources,
    included_sources,
    is_configured,
    is_package,
    resolve,
    trees_below,
)

MODULES_DIRECTORY = "/lib/modules"
_VERSION_HEADER = "include/generated/uapi/linux/version.h"
# 6.17 was the first with file lists; its stable branches took the change too, so the makefile
# is asked before the version.
_FIRST_WITH_LISTS = 6 << 16 | 17 << 8
_LISTS_MARK = b"kheaders-srclist"


class KernelTree(NamedTuple):
    """A configured kernel: its source tree, its object tree (maybe the same), what it is.

    ``srcarch`` is the kernel's SRCARCH, the name of a directory below arch/. ``release`` is what
    ``uname -r`` will print. ``lists`` tells that the kernel's own script works from file lists,
    as since Linux 6.17.
    """

    srctree: str
    objtree: str
    srcarch: str
    release: str
    lists: bool


class MissingHalf(UsageError):
    """One of the two trees of a kernel is not there; *package* is what has it, if it is known."""

    def __init__(self, message: str, package: str = "") -> None:
        super().__init__(message)
        self.package = package


def find_kernel_tree(
    srctree: str | None, objtree: str | None, arch: str | None, files: Files = MACHINE
) -> KernelTree:
    """Return the configured kernel in the trees given; *arch* is by default the configured one.

    Each tree is found through the other: the object tree of an in-tree build is the source tree,
    that of an O= build or of a distribution's headers package names its source tree, and of such
    packages either leads to the other. Either may be a lib/modules/RELEASE, or the directory that
    the packages of one kernel are unpacked in. With neither, it is the current directory, or the
    running kernel if that is no kernel tree. All are looked for in *files*. Raises UsageError.
    """
    for tree, option in ((srctree, "--srctree"), (objtree, "--objtree")):
        # A link may lead to where its target will be once the package is installed.
        if tree is not None and not files.isdir(tree) and not files.islink(tree):
            what = "is not a directory" if files.exists(tree) else "no such directory"
            raise UsageError(f"{tree}: {what}; name a kernel tree with {option}")
    srctree, objtree = _locate(srctree, objtree, files)
    configuration = _read(os.path.join(objtree, CONFIGURATION_HEADER), files)
    if configuration is None:
        raise _not_configured(objtree)
    release = headers_release(_read(os.path.join(objtree, RELEASE_HEADER), files) or b"")
    if not release:
        raise UsageError(f"{objtree}: has no {RELEASE_HEADER} yet: run make prepare there")
    return KernelTree(
        srctree,
        objtree,
        find_srcarch(srctree, arch or _configured_arch(objtree, configuration), files),
        release,
        _works_from_lists(srctree, objtree, files),
    )


def find_srcarch(srctree: str, arch: str, files: Files = MACHINE) -> str:
    """Return SRCARCH for *arch*: the kernel's ARCH, or what ``uname -m`` prints.

    Raises UsageError when *srctree* has no such architecture.
    """
    for name in (arch, srcarch_of(arch), arch_of_machine(arch)):
        if (
            name not in ("", ".", "..")
            and "/" not in name
            and files.isdir(f"{srctree}/arch/{name}/include")
        ):
            return name
    try:
        present = sorted(
            name
            for name in files.listdir(f"{srctree}/arch")
            if files.isdir(f"{srctree}/arch/{name}/include")
        )
    except OSError:
        present = []
    raise UsageError(
        f"{arch}: is no architecture that {srctree} has: name one of {', '.join(present)}"
    )


def _locate(srctree: str | None, objtree: str | None, files: Files) -> tuple[str, str]:
    """Return the source and the object tree. Raises UsageError."""
    if srctree is None and objtree is None:
        srctree = "." if _is_tree(".", files) else f"{MODULES_DIRECTORY}/{os.uname().release}"
    if srctree is None or objtree is None:
        objtree = _configured_at(srctree or objtree or "", files)
        return _sources_of(objtree, files), objtree
    if _is_modules_directory(srctree, files):
        srctree = os.path.join(srctree, "source")
    if not has_sources(srctree, files):
        raise UsageError(f"{srctree}: is not a kernel source tree (no {SOURCE_MARK})")
    return _behind_links(srctree, files), _build_below(objtree, files)


def _configured_at(named: str, files: Files) -> str:
    """Return the object tree that the one directory *named* is or leads to. Raises UsageError."""
    tree = _build_below(named, files)
    if is_configured(tree, files):
        return tree
    if has_sources(tree, files):
        found = configured_beside(tree, files)
    else:
        found = trees_below(tree, is_configured, files) or trees_below(tree, has_sources, files)
    if len(found) > 1:
        raise UsageError(
            f"{named}: is of several kernels: name one with --objtree: {', '.join(found)}"
        )
    return found[0] if found else tree


def _not_configured(tree: str) -> UsageError:
    """Return what to raise of the object tree *tree*, which has no configuration."""
    text = f"{tree}: is not configured (no {CONFIGURATION_HEADER}): "
    package = os.path.basename(os.path.abspath(tree)).removesuffix("-common")
    if package != os.path.basename(os.path.abspath(tree)):
        return MissingHalf(
            f"{text}the generated headers are in a package like {package}-amd64; "
            "unpack it in the same place, or name it with --objtree",
            f"{package}-amd64, or of another flavour",
        )
    return UsageError(
        f"{text}run make defconfig prepare there, or name the build's directory with --objtree"
    )


def _is_tree(directory: str, files: Files) -> bool:
    return has_sources(directory, files) or is_configured(directory, files)


def _is_modules_directory(directory: str, files: Files) -> bool:
    """Tell whether *directory* is a /lib/modules/RELEASE."""
    return not _is_tree(directory, files) and files.lexists(os.path.join(directory, "build"))


def _build_below(directory: str, files: Files) -> str:
    """Return *directory*, or what the link to the object tree in it leads to."""
    is_modules = _is_modules_directory(directory, files)
    tree = os.path.join(directory, "build") if is_modules else directory
    return tree if _is_tree(tree, files) else resolve(tree, files)


def _sources_of(objtree: str, files: Files) -> str:
    """Return the source tree that *objtree* was built from. Raises UsageError."""
    if has_sources(objtree, files):
        return _behind_links(objtree, files)
    # An O= build has this link; so has /lib/modules/RELEASE, beside the one to the object tree.
    links = [os.path.join(objtree, "source")]
    if os.path.basename(objtree) == "build":
        links.append(os.path.join(os.path.dirname(objtree), "source"))
    for link in links:
        if has_sources(link, files):
            return link
    try:
        named = included_sources(objtree, files)
    except OSError as error:
        raise KheadersfsError(f"{objtree}/Makefile: cannot read it: {reason(error)}") from error
    if named is None:
        raise UsageError(
            f"{objtree}: is not a kernel tree (neither {SOURCE_MARK} nor a makefile that names "
            "its sources): name one with --srctree"
        )
    if not has_sources(named, files):
        package = os.path.basename(named) if is_package(named) else ""
        half = f"unpack the package {package} beside it, or " if package else ""
        raise MissingHalf(
            f"{objtree}: was built from {named}, which is not there; "
            f"{half}name its sources with --srctree",
            package,
        )
    return named


def _behind_links(tree: str, files: Files) -> str:
    """Return the source tree that the directories of *tree* are links into, else *tree*.

    Ubuntu's object tree has such links, and linked directories are not entered.
    """
    mark = files.realpath(os.path.join(tree, SOURCE_MARK))
    sources = mark.removesuffix(SOURCE_MARK)
    if sources == mark or not has_sources(sources, files):
        return tree
    if files.realpath(sources) == files.realpath(tree):
        return tree
    return os.path.normpath(sources)


def _configured_arch(objtree: str, configuration: bytes) -> str:
    """Return ARCH from the heading of *configuration*, or from its symbols. Raises UsageError.

    scripts/kconfig writes the title of the main menu there, "Linux/x86 6.1.0 Kernel Configuration".
    In a tree that was extracted from an archive comments may be gone, and headings with them.
    """
    heading = re.search(rb"^ \* Linux/(\w+) ", configuration[:1024], re.MULTILINE)
    arch = heading[1].decode() if heading is not None else headers_arch(configuration)
    if arch is None:
        raise UsageError(
            f"{objtree}: {CONFIGURATION_HEADER} does not say for which architecture it is; "
            "name it with --arch of kheadersfs pack"
        )
    return arch


def _works_from_lists(srctree: str, objtree: str, files: Files) -> bool:
    makefile = _read(os.path.join(srctree, "kernel/Makefile"), files)
    if makefile is not None:
        return _LISTS_MARK in makefile
    text = _read(os.path.join(objtree, _VERSION_HEADER), files) or b""
    code = re.search(rb"LINUX_VERSION_CODE[ \t]+(\d+)", text)
    return code is not None and int(code[1]) >= _FIRST_WITH_LISTS


def _read(path: str, files: Files) -> bytes | None:
    """Return the content of *path*, None when it does not exist. Raises KheadersfsError."""
    try:
        return files.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise KheadersfsError(f"{path}: cannot read it: {reason(error)}") from error
