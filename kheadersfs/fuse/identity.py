"""Which kernel's headers a mount shows, as its server tells and as a command asks for it."""

from __future__ import annotations

import os
import stat

from kheadersfs.errors import DamagedArchive, MountpointError, RefusedArchive, reason
from kheadersfs.kernel.release import (
    CONFIGURATION_HEADER,
    LARGEST_DESCRIPTION,
    RELEASE_HEADER,
    Kernel,
    headers_arch,
    headers_release,
)
from kheadersfs.mount.asking import KERNEL_ATTRIBUTE, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kheadersfs.archive.readers import Content
    from kheadersfs.tree import Tree


def kernel_of(content: Content, tree: Tree, number: int | None = None) -> Kernel:
    """Return the kernel whose headers are shown; what they do not say is empty.

    Of an archive of several kernels it is *number*, None for all.
    """
    if content.kernels:
        if number is None:
            return Kernel("", "")
        return Kernel(content.kernels[number].release, content.kernels[number].arch)
    return Kernel(
        content.release or _find(content, tree, RELEASE_HEADER, headers_release),
        content.arch or _find(content, tree, CONFIGURATION_HEADER, headers_arch),
    )


def _find(content: Content, tree: Tree, path: str, parse: Callable[[bytes], str | None]) -> str:
    """Return what *parse* finds in the header at *path*; nothing if there is none to read."""
    from kheadersfs.store import Store  # 10 ms, which only the server pays

    inode = tree.resolve(path.encode())
    if not inode or not stat.S_ISREG(tree.attributes(inode).mode):
        return ""
    if tree.attributes(inode).size > LARGEST_DESCRIPTION:
        return ""
    try:
        # It is read through another store, so that it does not count as content that users read.
        return parse(Store(content.blocks, 0).read(*tree.extent(inode))) or ""
    except (DamagedArchive, RefusedArchive):
        return ""  # whoever reads that header will hear of it


def encode(kernel: Kernel) -> bytes:
    """Return the value of KERNEL_ATTRIBUTE: the release, a newline, the architecture."""
    return f"{kernel.release}\n{kernel.arch}".encode(errors="replace")


def ask_kernel(mountpoint: str) -> Kernel:
    """Return the kernel whose headers are mounted, once its server has read their names.

    What the headers do not say is empty; so is all of a damaged archive. No header is opened.
    Raises MountpointError when the server does not answer.
    """
    try:
        os.stat(os.path.join(mountpoint, RELEASE_HEADER))
    except OSError:
        pass  # no archive needs to have it, and a damaged one gives an error
    try:
        answer = ask(mountpoint, KERNEL_ATTRIBUTE)
    except OSError as error:
        raise MountpointError(f"{mountpoint}: cannot ask its server: {reason(error)}") from error
    release, _, arch = answer.decode(errors="replace").partition("\n")
    return Kernel(_printable(release), _printable(arch))


def _printable(word: str) -> str:
    """Return *word*, or nothing if no kernel is called that: an attacker may have the server."""
    return word if word.isprintable() and " " not in word else ""
