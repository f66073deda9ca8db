"""Header trees laid out as distributions do, made of the two trees of Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

# What Ubuntu's packaging (debian/scripts/link-headers) has links to, besides include/ and scripts/.
_LINKED = ("Makefile*", "Kconfig*", "Kbuild*", "*.sh", "*.pl", "*.lds")


def debian_trees(unpacked: Path) -> tuple[Path, Path]:
    """Return the source and the object tree among the packages in the directory *unpacked*."""
    (sources,) = (unpacked / "usr/src").glob("linux-headers-*-common*")
    (objtree,) = (
        tree for tree in (unpacked / "usr/src").glob("linux-headers-*") if tree != sources
    )
    return sources, objtree


def as_ubuntu(unpacked: Path) -> Path:
    """Make what is unpacked Ubuntu's ``linux-headers-X`` and ``-X-generic``. Returns the latter.

    Of what only the first has, the second has relative links, each as high up as can be.
    """
    common, objtree = debian_trees(unpacked)
    sources = common.rename(common.with_name(common.name.replace("-common", "")))
    objtree = objtree.rename(sources.with_name(f"{sources.name}-generic"))
    (objtree / "Makefile").unlink()
    for directory, _, names in os.walk(sources):
        below = Path(directory).relative_to(sources)
        for name in names:
            if below.parts[:1] in (("include",), ("scripts",)) or _is_linked(name):
                _link_highest(sources, objtree, below / name)
    return objtree


def as_fedora(unpacked: Path) -> Path:
    """Make what is unpacked Fedora's one tree in /usr/src/kernels. Returns it."""
    sources, objtree = debian_trees(unpacked)
    tree = unpacked / "usr/src/kernels" / objtree.name.removeprefix("linux-headers-")
    tree.parent.mkdir()
    sources.rename(tree)
    (objtree / "Makefile").unlink()
    for name in os.listdir(objtree):
        subprocess.run(["cp", "-a", "--remove-destination", objtree / name, tree], check=True)
    shutil.rmtree(objtree)
    return tree


def _is_linked(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _LINKED)


def _link_highest(sources: Path, objtree: Path, wanted: Path) -> None:
    """Link the highest part of the path *wanted* that *objtree* lacks to that of *sources*."""
    for part in reversed((wanted, *wanted.parents)):
        place = objtree / part
        if place.is_symlink():
            return
        if not place.exists():
            upwards = "../" * len(part.parts)
            place.symlink_to(f"{upwards}{sources.name}/{part}")
            return
