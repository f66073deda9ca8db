"""Makes a packed archive of the headers in the packages of one kernel.

Its headers are those that ``pack`` takes from the same packages when these are installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kheadersfs.errors import UsageError
from kheadersfs.kernel.release import CONFIGURATION_HEADER
from kheadersfs.kernel.trees import KernelTree, MissingHalf, find_kernel_tree
from kheadersfs.kernel.unpacked import has_sources, is_configured, trees_below
from kheadersfs.pack.packing import Settings, write_headers
from kheadersfs.pack.selection import select
from kheadersfs.pack.writing import Description
from kheadersfs.packages.files import PackageFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from kheadersfs.packages.package import Package

_ROOT = "/"


def pack_packages(
    packages: Sequence[Package],
    missing: Sequence[str],
    file: BinaryIO,
    arch: str | None,
    settings: Settings,
    progress: Callable[[int, int], None],
    release: str | None = None,
) -> None:
    """Write a packed archive of the headers in *packages*, which are of one kernel, to *file*.

    *missing* are names of packages that these need and that were not given. *arch* is the SRCARCH
    to take, None for the one that the kernel is configured for. *release* is the release that the
    kernel must have, None for any. *progress* is as in write_headers(). Raises UsageError when the
    packages have no kernel, only half of one, several, or one of another release; and what reading
    an archive raises.
    """
    files = PackageFiles(packages)
    tree = _find_tree(files, packages, missing, arch)
    if release not in (None, tree.release):
        raise UsageError(f"{packages[0].name}: has the headers of {tree.release}, not of {release}")
    headers = select(tree, files.scan)
    texts = {
        header.path: settings.comments(content)
        for header, content in files.read_all(list(headers.values()))
    }
    description = Description(tree.release, tree.srcarch)
    write_headers(headers, texts, description, file, settings, progress)


def _find_tree(
    files: PackageFiles, packages: Sequence[Package], missing: Sequence[str], arch: str | None
) -> KernelTree:
    """Return the one kernel in *files*. Raises UsageError."""
    names = ", ".join(package.name for package in packages)
    trees = trees_below(_ROOT, is_configured, files)
    if len(trees) > 1:
        raise UsageError(f"{names}: has several kernels: {', '.join(trees)}; give one of them")
    if not trees and not trees_below(_ROOT, has_sources, files):
        raise UsageError(
            f"{names}: has no headers to build with (no {CONFIGURATION_HEADER}); give a package "
            "like linux-headers-RELEASE or kernel-devel"
        )
    try:
        return find_kernel_tree(None, trees[0] if trees else _ROOT, arch, files)
    except UsageError as error:
        package = ", ".join(missing)
        if isinstance(error, MissingHalf):
            package = package or error.package
        elif trees and not missing:
            raise
        where = package or "of a flavour, like linux-headers-RELEASE or kernel-default-devel"
        raise UsageError(
            f"{names}: has one half of a kernel's headers, the other one is in the package "
            f"{where}; name both, or put both into one directory and name that"
        ) from error
