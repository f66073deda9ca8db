"""Header packages that are unpacked below some directory, where their links point elsewhere.

A distribution's headers of one kernel are two trees: the sources' headers, which all flavours
share, and the generated ones of a flavour. Their links and makefiles name each other by the paths
of an installation, /usr/src/NAME, which do not hold in ``dpkg -x`` trees or images of machines.
So what an absolute path names is looked for below the same root first, and beside who names it.
Packages that are not unpacked are looked into in the same way, through a Files of their own.
"""

from __future__ import annotations

import os
import re

from kheadersfs.kernel.files import MACHINE
from kheadersfs.kernel.release import CONFIGURATION_HEADER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.kernel.files import Files

SOURCE_MARK = "include/linux/kconfig.h"
"""A file that every source tree has. A tree of generated headers has it by a link at most."""
_PLACES = ("usr/src", "usr/src/kernels", "lib/modules", "usr/lib/modules")
"""Where packages put trees, or what leads to them, below the root."""
_OBJECT_TREES = "-obj"
_MOST_LINKS = 40
"""Links that are followed in one path, as many as the kernel follows."""
_LARGEST_MAKEFILE = 1 << 20


def has_sources(directory: str, files: Files = MACHINE) -> bool:
    """Tell whether *directory* is a tree with the headers of sources."""
    return files.exists(os.path.join(directory, SOURCE_MARK)) and files.isdir(
        os.path.join(directory, "arch")
    )


def is_configured(directory: str, files: Files = MACHINE) -> bool:
    """Tell whether *directory* is a tree with generated headers."""
    return files.isfile(os.path.join(directory, CONFIGURATION_HEADER))


def root_above(directory: str) -> str:
    """Return the root that *directory* is installed or unpacked below, as far as its path tells.

    Of /x/usr/src/NAME, /x/lib/modules/RELEASE and what is in them that is /x; of others, "/".
    """
    path = os.path.abspath(directory)
    for place in sorted(_PLACES, key=len, reverse=True):
        root, found, _ = path.partition(f"/{place}/")
        if not found and path.endswith(f"/{place}"):
            root, found = path.removesuffix(f"/{place}"), place
        if found:
            return root or "/"
    return "/"


def resolve(path: str, files: Files = MACHINE) -> str:
    """Return what *path* leads to, with absolute links taken to be of the root above it.

    Those that lead nowhere there are taken as they are.
    """
    root = root_above(path)
    for _ in range(_MOST_LINKS):
        try:
            target = files.readlink(path)
        except OSError:
            break
        inside = os.path.join(root, target.lstrip("/"))
        if os.path.isabs(target) and files.lexists(inside):
            target = inside
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return path


def included_sources(objtree: str, files: Files = MACHINE) -> str | None:
    """Return the source tree that the makefile of *objtree* includes, whether it is there or not.

    Every object tree has one that includes the real one; None if this one has not. That of a
    package is looked for beside *objtree* first, and what is below the same root before what
    happens to be installed here.
    Raises OSError when there is a makefile that cannot be read.
    """
    try:
        makefile = files.read(os.path.join(objtree, "Makefile"), _LARGEST_MAKEFILE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    included = re.search(rb"^include[ \t]+([^\s$]+)/Makefile[ \t]*$", makefile, re.MULTILINE)
    if included is None:
        return None
    named = os.fsdecode(included[1])
    if os.path.isabs(named):
        beside = os.path.join(os.path.dirname(os.path.abspath(objtree)), os.path.basename(named))
        if is_package(named) and has_sources(beside, files):
            return beside
        inside = os.path.join(root_above(objtree), named.lstrip("/"))
        if has_sources(inside, files):
            return inside
    return os.path.join(objtree, named)


def is_package(tree: str) -> bool:
    """Tell whether *tree* comes with a package of the same name."""
    return os.path.basename(os.path.abspath(tree)).startswith("linux-headers-")


def trees_below(
    directory: str, is_wanted: Callable[[str, Files], bool], files: Files = MACHINE
) -> list[str]:
    """Return the trees that packages left below the root *directory*, as far as *is_wanted*.

    *directory* may also be what is below a root: usr/src or lib/modules.
    """
    found: dict[str, str] = {}
    is_place = os.path.abspath(directory).endswith(tuple(f"/{place}" for place in _PLACES))
    for place in ("",) if is_place else _PLACES:
        parent = os.path.join(directory, place)
        for name in _list(parent, files):
            path = os.path.join(parent, name)
            for place in (path, os.path.join(path, "build"), *_object_trees(path, files)):
                tree = resolve(place, files)
                if is_wanted(tree, files):
                    found.setdefault(files.realpath(tree), tree)
    return sorted(found.values())


def _object_trees(directory: str, files: Files) -> list[str]:
    """Return what may be object trees in *directory* if it is openSUSE's linux-RELEASE-obj.

    There is one for each architecture and flavour.
    """
    if not directory.endswith(_OBJECT_TREES):
        return []
    return [
        os.path.join(directory, arch, flavour)
        for arch in _list(directory, files)
        for flavour in _list(os.path.join(directory, arch), files)
    ]


def configured_beside(sources: str, files: Files = MACHINE) -> list[str]:
    """Return the configured trees in the directory of *sources* that are of these sources."""
    parent = os.path.dirname(os.path.abspath(sources))
    beside = [os.path.join(parent, name) for name in _list(parent, files)]
    trees = [tree for path in beside for tree in (path, *_object_trees(path, files))]
    found = {
        files.realpath(tree): tree
        for tree in trees
        if is_configured(tree, files) and _is_of(tree, sources, files)
    }
    return sorted(found.values())


def _is_of(objtree: str, sources: str, files: Files) -> bool:
    mark = os.path.join(objtree, SOURCE_MARK)
    if files.isfile(mark):  # by links, as in Ubuntu's
        return files.realpath(mark) == files.realpath(os.path.join(sources, SOURCE_MARK))
    try:
        named = included_sources(objtree, files)
    except OSError:
        return False
    return named is not None and files.realpath(named) == files.realpath(sources)


def _list(directory: str, files: Files) -> list[str]:
    try:
        return sorted(files.listdir(directory))
    except OSError:
        return []
