"""Kernel trees: where sources and generated headers lie, and what kernel they are of."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from kheadersfs.bpf.kernel import (
    CONFIGURATION_HEADER,
    RELEASE_HEADER,
    arch_of_machine,
    headers_release,
)
from kheadersfs.errors import KheadersfsError, UsageError, reason

MODULES_DIRECTORY = "/lib/modules"
_SOURCE_MARK = "include/linux/kconfig.h"
_VERSION_HEADER = "include/generated/uapi/linux/version.h"
# 6.17 was the first with file lists; its stable branches took the change too, so the makefile
# is asked before the version.
_FIRST_WITH_LISTS = 6 << 16 | 17 << 8
_LISTS_MARK = b"kheaders-srclist"

# "Additional ARCH settings" of the kernel's Makefile: ARCH to SRCARCH where they differ.
_SRCARCH_OF_ARCH = {
    "i386": "x86",
    "x86_64": "x86",
    "sparc32": "sparc",
    "sparc64": "sparc",
    "parisc64": "parisc",
    "sh64": "sh",
}


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


def find_kernel_tree(srctree: str | None, objtree: str | None, arch: str | None) -> KernelTree:
    """Return the configured kernel in the trees given; *arch* is by default the configured one.

    Each tree is found through the other: the object tree of an in-tree build is the source tree,
    that of an O= build or of a distribution's headers package names its source tree. Either
    may be /lib/modules/RELEASE. With neither, it is the current directory, or the running
    kernel if that is no kernel tree. Raises UsageError.
    """
    srctree, objtree = _locate(srctree, objtree)
    configuration = _read(os.path.join(objtree, CONFIGURATION_HEADER))
    if configuration is None:
        raise UsageError(
            f"{objtree}: is not configured (no {CONFIGURATION_HEADER}): run make defconfig prepare "
            "there, or name the build's directory with --objtree"
        )
    release = headers_release(_read(os.path.join(objtree, RELEASE_HEADER)) or b"")
    if not release:
        raise UsageError(f"{objtree}: has no {RELEASE_HEADER} yet: run make prepare there")
    return KernelTree(
        srctree,
        objtree,
        find_srcarch(srctree, arch or _configured_arch(objtree, configuration)),
        release,
        _works_from_lists(srctree, objtree),
    )


def find_srcarch(srctree: str, arch: str) -> str:
    """Return SRCARCH for *arch*: the kernel's ARCH, or what ``uname -m`` prints.

    Raises UsageError when *srctree* has no such architecture.
    """
    for name in (arch, _SRCARCH_OF_ARCH.get(arch, arch), arch_of_machine(arch)):
        if (
            name not in ("", ".", "..")
            and "/" not in name
            and os.path.isdir(f"{srctree}/arch/{name}/include")
        ):
            return name
    try:
        present = sorted(
            name
            for name in os.listdir(f"{srctree}/arch")
            if os.path.isdir(f"{srctree}/arch/{name}/include")
        )
    except OSError:
        present = []
    raise UsageError(
        f"{arch}: is no architecture that {srctree} has: name one of {', '.join(present)}"
    )


def _locate(srctree: str | None, objtree: str | None) -> tuple[str, str]:
    """Return the source and the object tree. Raises UsageError."""
    if srctree is None and objtree is None:
        srctree = "." if _is_tree(".") else f"{MODULES_DIRECTORY}/{os.uname().release}"
    if srctree is None:
        assert objtree is not None
        objtree = _build_below(objtree)
        return _sources_of(objtree), objtree
    if objtree is None:
        # An object tree, or /lib/modules/RELEASE, leads to its sources; sources built in
        # their own tree lead to themselves.
        objtree = _build_below(srctree)
        return _sources_of(objtree), objtree
    for tree, option in ((srctree, "--srctree"), (objtree, "--objtree")):
        if not os.path.isdir(tree):
            raise UsageError(f"{tree}: is not a directory; name a kernel tree with {option}")
    srctree = os.path.join(srctree, "source") if _is_modules_directory(srctree) else srctree
    if not _has_sources(srctree):
        raise UsageError(f"{srctree}: is not a kernel source tree (no {_SOURCE_MARK})")
    return _behind_links(srctree), _build_below(objtree)


def _is_tree(directory: str) -> bool:
    return _has_sources(directory) or os.path.exists(os.path.join(directory, CONFIGURATION_HEADER))


def _has_sources(directory: str) -> bool:
    return os.path.exists(os.path.join(directory, _SOURCE_MARK)) and os.path.isdir(
        os.path.join(directory, "arch")
    )


def _is_modules_directory(directory: str) -> bool:
    """Tell whether *directory* is a /lib/modules/RELEASE."""
    return not _is_tree(directory) and os.path.lexists(os.path.join(directory, "build"))


def _build_below(directory: str) -> str:
    return os.path.join(directory, "build") if _is_modules_directory(directory) else directory


def _sources_of(objtree: str) -> str:
    """Return the source tree that *objtree* was built from. Raises UsageError."""
    if _has_sources(objtree):
        return _behind_links(objtree)
    # An O= build has this link; so has /lib/modules/RELEASE, beside the one to the object tree.
    links = [os.path.join(objtree, "source")]
    if os.path.basename(objtree) == "build":
        links.append(os.path.join(os.path.dirname(objtree), "source"))
    for link in links:
        if _has_sources(link):
            return link
    # Every object tree has a makefile that includes the real one.
    makefile = _read(os.path.join(objtree, "Makefile")) or b""
    included = re.search(rb"^include[ \t]+([^\s$]+)/Makefile[ \t]*$", makefile, re.MULTILINE)
    if included is None:
        raise UsageError(
            f"{objtree}: is not a kernel tree (neither {_SOURCE_MARK} nor a makefile that names "
            "its sources): name one with --srctree"
        )
    named = os.path.join(objtree, os.fsdecode(included[1]))
    if not _has_sources(named):
        raise UsageError(
            f"{objtree}: was built from {named}, which is not there; "
            "name its sources with --srctree"
        )
    return named


def _behind_links(tree: str) -> str:
    """Return the source tree that the directories of *tree* are links into, else *tree*.

    Ubuntu's object tree has such links, and linked directories are not entered.
    """
    mark = os.path.realpath(os.path.join(tree, _SOURCE_MARK))
    sources = mark.removesuffix(_SOURCE_MARK)
    if sources == mark or not _has_sources(sources) or os.path.samefile(sources, tree):
        return tree
    return os.path.normpath(sources)


def _configured_arch(objtree: str, configuration: bytes) -> str:
    """Return ARCH from the heading of *configuration*. Raises UsageError.

    scripts/kconfig writes the title of the main menu there, "Linux/x86 6.1.0 Kernel Configuration".
    """
    heading = re.search(rb"^ \* Linux/(\w+) ", configuration[:1024], re.MULTILINE)
    if heading is None:
        raise UsageError(
            f"{objtree}: {CONFIGURATION_HEADER} does not say for which architecture it is; "
            "name it with --arch"
        )
    return heading[1].decode()


def _works_from_lists(srctree: str, objtree: str) -> bool:
    makefile = _read(os.path.join(srctree, "kernel/Makefile"))
    if makefile is not None:
        return _LISTS_MARK in makefile
    text = _read(os.path.join(objtree, _VERSION_HEADER)) or b""
    code = re.search(rb"LINUX_VERSION_CODE[ \t]+(\d+)", text)
    return code is not None and int(code[1]) >= _FIRST_WITH_LISTS


def _read(path: str) -> bytes | None:
    """Return the content of *path*, None when it does not exist. Raises KheadersfsError."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise KheadersfsError(f"{path}: cannot read it: {reason(error)}") from error
