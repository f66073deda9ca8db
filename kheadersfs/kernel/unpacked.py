"""Header packages that are unpacked below some directory, where their links point elsewhere.

A distribution's headers of one kernel are two trees: the sources' headers, which all flavours
share, and the generated ones of a flavour. Their links and makefiles name each other by the paths
of an installation, /usr/src/NAME, which do not hold in ``dpkg -x`` trees or images of machines.
So what an absolute path names is looked for below the same root first, and beside who names it.
"""

from __future__ import annotations

import os
import re

from kheadersfs.kernel.release import CONFIGURATION_HEADER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE_MARK = "include/linux/kconfig.h"
"""What every source tree has, and no tree of generated headers but by links."""
_PLACES = ("usr/src", "usr/src/kernels", "lib/modules", "usr/lib/modules")
"""Where packages put trees, or what leads to them, below the root."""
_MOST_LINKS = 40
"""As many as the kernel follows."""
_LARGEST_MAKEFILE = 1 << 20


def has_sources(directory: str) -> bool:
    """Tell whether *directory* is a tree with the headers of sources."""
    return os.path.exists(os.path.join(directory, SOURCE_MARK)) and os.path.isdir(
        os.path.join(directory, "arch")
    )


def is_configured(directory: str) -> bool:
    """Tell whether *directory* is a tree with generated headers."""
    return os.path.isfile(os.path.join(directory, CONFIGURATION_HEADER))


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


def resolve(path: str) -> str:
    """Return what *path* leads to, with absolute links taken to be of the root above it.

    Those that lead nowhere there are taken as they are.
    """
    root = root_above(path)
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(path)
        except OSError:
            break
        inside = os.path.join(root, target.lstrip("/"))
        if os.path.isabs(target) and os.path.lexists(inside):
            target = inside
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return path


def included_sources(objtree: str) -> str | None:
    """Return the source tree that the makefile of *objtree* includes, whether it is there or not.

    Every object tree has one that includes the real one; None if this one has not. That of a
    package is looked for beside *objtree* first, and what is below the same root before what
    happens to be installed here.
    Raises OSError when there is a makefile that cannot be read.
    """
    try:
        with open(os.path.join(objtree, "Makefile"), "rb") as stream:
            makefile = stream.read(_LARGEST_MAKEFILE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    included = re.search(rb"^include[ \t]+([^\s$]+)/Makefile[ \t]*$", makefile, re.MULTILINE)
    if included is None:
        return None
    named = os.fsdecode(included[1])
    if os.path.isabs(named):
        beside = os.path.join(os.path.dirname(os.path.abspath(objtree)), os.path.basename(named))
        if is_package(named) and has_sources(beside):
            return beside
        inside = os.path.join(root_above(objtree), named.lstrip("/"))
        if has_sources(inside):
            return inside
    return os.path.join(objtree, named)


def is_package(tree: str) -> bool:
    """Tell whether *tree* comes with a package of the same name."""
    return os.path.basename(os.path.abspath(tree)).startswith("linux-headers-")


def trees_below(directory: str, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return the trees that packages left below the root *directory*, as far as *is_wanted*.

    *directory* may also be what is below a root: usr/src or lib/modules.
    """
    found: dict[str, str] = {}
    is_place = os.path.abspath(directory).endswith(tuple(f"/{place}" for place in _PLACES))
    for place in ("",) if is_place else _PLACES:
        parent = os.path.join(directory, place)
        for name in _list(parent):
            for tree in (os.path.join(parent, name), os.path.join(parent, name, "build")):
                tree = resolve(tree)
                if is_wanted(tree):
                    found.setdefault(os.path.realpath(tree), tree)
    return sorted(found.values())


def configured_beside(sources: str) -> list[str]:
    """Return the configured trees in the directory of *sources* that are of these sources."""
    parent = os.path.dirname(os.path.abspath(sources))
    trees = [os.path.join(parent, name) for name in _list(parent)]
    return [tree for tree in trees if is_configured(tree) and _is_of(tree, sources)]


def _is_of(objtree: str, sources: str) -> bool:
    if os.path.isfile(os.path.join(objtree, SOURCE_MARK)):  # by links, as in Ubuntu's
        mark = os.path.realpath(os.path.join(objtree, SOURCE_MARK))
        return mark == os.path.realpath(os.path.join(sources, SOURCE_MARK))
    try:
        named = included_sources(objtree)
    except OSError:
        return False
    return named is not None and os.path.realpath(named) == os.path.realpath(sources)


def _list(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
